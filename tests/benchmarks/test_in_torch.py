"""What the fused kernels are held against computes all of what it stands for, and as exactly."""

import numpy as np
import pytest
import torch

from benchmarks.kernels import in_torch
from benchmarks.kernels.in_torch.forced_align import forced_align
from benchmarks.kernels.in_torch.frame_change import frame_change
from benchmarks.kernels.in_torch.loudness import filters, loudness
from benchmarks.kernels.in_torch.mix import mix, tables
from benchmarks.kernels.in_torch.saliency import saliency
from benchmarks.kernels.in_torch.window_scores import of_track, top_windows
from kernels.forced_align import reference as aligned
from kernels.frame_change import reference as changed
from kernels.loudness import reference as measured
from kernels.mix import DuckShape
from kernels.mix import reference as mixed
from kernels.saliency import reference as seen
from kernels.window_scores import SHAPES, Grid, Terms
from kernels.window_scores import reference as scored
from kernels.window_scores.layout import layout

FLOAT32 = {"rtol": 2e-5, "atol": 2e-6}
"""As far as a kernel may lie from its definition."""
SHAPE = DuckShape(depth_db=12.0, attack_s=0.02, hold_s=0.03, release_s=0.05)


def close(found, wanted, **tolerance):
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), **(tolerance or FLOAT32))


def film(n, h, w, seed=0):
    """Blobs that wander over noise: planes of any size, as arrays and as tensors."""
    chance = np.random.default_rng(seed)
    y, x = np.arange(h)[:, None], np.arange(w)
    at = np.arange(n)[:, None, None] / 7
    blob = 150 * np.exp(-((x / w - 0.5 - 0.4 * np.sin(at)) ** 2 + (y / h - 0.4) ** 2) * 30)
    luma = (blob + chance.integers(0, 60, (n, h, w))).astype(np.uint8)
    chroma = chance.integers(90, 160, (n, 2, (h + 1) // 2, (w + 1) // 2), dtype=np.uint8)
    return (luma, chroma), (torch.from_numpy(luma), torch.from_numpy(chroma))


@pytest.mark.parametrize(("n", "h", "w"), [(30, 90, 160), (13, 19, 37)])
def test_frame_change_in_torch_is_as_defined(n, h, w):
    arrays, tensors = film(n, h, w)
    wanted = changed.frame_change(*arrays)
    for name, found in zip(wanted, frame_change(*tensors), strict=True):
        close(found, wanted[name])


@pytest.mark.parametrize(("n", "h", "w"), [(6, 90, 160), (5, 19, 37)])
def test_saliency_in_torch_is_as_defined(n, h, w):
    (luma, chroma), tensors = film(n, h, w)
    luma[-1], chroma[-1] = luma[-2].mean().astype(np.uint8), 128  # and one that is blank but moves
    before = [luma[0], *luma[:-1]]
    wanted = [seen.saliency(*planes) for planes in zip(luma, chroma, before, strict=True)]
    close(saliency(*tensors), wanted)


def test_a_blank_picture_is_centred_in_torch_too():
    luma, chroma = torch.full((2, 36, 64), 90), torch.full((2, 2, 18, 32), 128)
    close(saliency(luma.byte(), chroma.byte()), [[0.0, 0.5, 0.5]] * 2)


@pytest.mark.parametrize(("rate_hz", "seconds"), [(48_000, 3.1), (8_000, 7.0)])
def test_loudness_in_torch_is_as_defined(rate_hz, seconds):
    chance = np.random.default_rng(0)
    swell = 0.02 + 0.3 * np.abs(np.sin(np.arange(round(rate_hz * seconds)) / rate_hz))
    sound = (chance.normal(0, 1, (len(swell), 2)) * swell[:, None]).astype(np.float32)
    sound[:3] = np.nan
    wanted = measured.measure(sound, rate_hz)
    found = loudness(torch.from_numpy(sound), rate_hz, *filters(rate_hz, "cpu"))
    for name, value in zip(wanted._fields, found, strict=True):
        close(value, getattr(wanted, name), rtol=0, atol=0.001)


def test_silence_has_no_loudness_in_torch_either():
    whole, spread, peak, *_ = loudness(torch.zeros(32_000, 1), 8_000, *filters(8_000, "cpu"))
    assert (whole, spread, peak) == (-torch.inf, 0, -torch.inf)


@pytest.mark.parametrize("level", [0.05, 0.9])
def test_a_mix_in_torch_is_as_defined(level):
    chance = np.random.default_rng(0)
    active = np.repeat(chance.random(30) < 0.4, 200)
    voice, bed = (chance.normal(0, level, (len(active), 2)).astype(np.float32) for _ in range(2))
    voice[7], voice[~active] = np.nan, 0
    tensors = [torch.from_numpy(x) for x in (voice, bed, active)]
    found = mix(*tensors, 8_000, -1.5, *tables(8_000, SHAPE, "cpu"))
    close(found, mixed.mix(voice, bed, active, 8_000, SHAPE, -1.5))


@pytest.mark.parametrize(
    "grid", [Grid(1, 40, 4), Grid(15, 60, 5, 5), Grid(50, 200, 3, 2)], ids=["all", "steps", "long"]
)
def test_the_best_windows_in_torch_are_as_defined(grid):
    chance = np.random.default_rng(1)
    size = (7, 3)
    tracks = chance.normal(0, 1, (3, 90)) * [[1], [20], [0.1]] + [[0], [5], [-2]]
    tracks[2, 30:70] = -2  # windows in which nothing deviates
    low = chance.normal(0, 1, size)
    terms = Terms(chance.random(size), low, low + 1, chance.choice(SHAPES, size)).over(3)
    plan = layout(grid, 90)
    with np.errstate(invalid="ignore"):
        wanted = [
            scored.score(tracks, a, b, terms, 3) for a, b in zip(*plan.windows(), strict=True)
        ]
    starts, ends, scores = top_windows(torch.from_numpy(tracks), grid, terms, plan.size, 3)
    order = np.lexsort((ends, starts))
    np.testing.assert_array_equal([starts[order], ends[order]], plan.windows())
    close(scores[order], wanted)
    assert (scores.diff() <= 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_paths_in_torch_are_as_defined(seed):
    chance = np.random.default_rng(seed)
    # Few levels, so that ways into a state tie; few classes, so that targets repeat.
    log_probs = chance.integers(-4, 0, (3, 40, 5)).astype(np.float32)
    targets = chance.integers(1, 5, (3, 12))
    paths, scores = forced_align(torch.from_numpy(log_probs), torch.from_numpy(targets))
    for b in range(3):
        wanted, of_frames = aligned.align(log_probs[b], targets[b], 0)
        np.testing.assert_array_equal(paths[b], wanted)
        close(scores[b], of_frames.sum())


def test_what_is_compiled_is_one_graph():
    """Otherwise it would be launched in pieces, and beaten for that."""
    _, planes = film(14, 19, 37)
    chance = torch.Generator().manual_seed(0)
    sound, active = torch.rand((24_000, 2), generator=chance), torch.arange(24_000) > 9_000
    made = tables(8_000, SHAPE, "cpu")
    frames = torch.arange(0, 20)[:, None], torch.arange(9, 29)[:, None] + torch.arange(0, 4)
    lengths = torch.tensor([[9, 10, 11, 12]])
    track = torch.rand((4, 33), generator=chance).double(), torch.rand((4, 32), generator=chance)
    for function, given in [
        (frame_change, planes),
        (saliency, planes),
        (loudness, (sound, 8_000, *filters(8_000, "cpu"))),
        (mix, (sound, sound, active, 8_000, -1.5, *made)),
        (of_track, (*frames, lengths, torch.full_like(lengths, 3), *track, torch.rand(33),
                    torch.rand((5, 7)))),
    ]:  # fmt: skip
        torch._dynamo.reset()
        whole = torch.compile(function, backend="eager", dynamic=False, fullgraph=True)
        torch.testing.assert_close(whole(*given), function(*given))


def test_what_cannot_be_compiled_is_left_out_by_name():
    @torch._dynamo.disable
    def uncompiled(x):
        return x

    call = in_torch.compiled(lambda x: uncompiled(x) + 1)
    with pytest.raises(ImportError, match=r"\w"):
        call(torch.ones(3))


def test_both_rivals_have_their_targets():
    both = in_torch.rivals(torch.add, torch.ones(2), torch.ones(2))
    assert {name: rival.target for name, rival in both.items()} == {
        "torch": 5.0, "torch.compile": 1.5,
    }  # fmt: skip
    close(both["torch"].call(), [2.0, 2.0])
