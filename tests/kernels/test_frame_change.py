"""Frame change: equal to its definition however it is batched; finds shots that are known."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.frame_change import FrameChange, Stream, cut_probability, join, shots
from kernels.frame_change.reference import LONG, frame_change, signature


def film(n, h=18, w=32, seed=0):
    random = np.random.default_rng(seed)
    luma = random.integers(0, 256, (n, h, w), dtype=np.uint8)
    return luma, random.integers(0, 256, (n, 2, (h + 1) // 2, (w + 1) // 2), dtype=np.uint8)


def scenes(*levels, frames=40):
    luma = np.concatenate([np.full((frames, 90, 160), level, np.uint8) for level in levels])
    return luma, np.full((len(luma), 2, 45, 80), 128, np.uint8)


def found(luma, chroma):
    signal = Stream().push(luma, chroma)
    return [s.first_frame for s in shots(signal, np.arange(len(luma)) / 25)][1:]


@settings(deadline=None, max_examples=25)
@given(
    n=st.integers(1, 30), h=st.integers(1, 23), w=st.integers(1, 35),
    cuts=st.lists(st.integers(0, 30), max_size=4), seed=st.integers(0, 9),
)  # fmt: skip
def test_any_split_into_batches_equals_the_definition(n, h, w, cuts, seed):
    luma, chroma = film(n, h, w, seed)
    edges = sorted({0, n, *(c for c in cuts if c < n)})
    stream = Stream()
    parts = [stream.push(luma[a:b], chroma[a:b]) for a, b in itertools.pairwise(edges)]
    measured, wanted = join(parts)._asdict(), frame_change(luma, chroma)
    for name, values in wanted.items():
        np.testing.assert_allclose(measured[name], values, rtol=2e-5, atol=2e-6, err_msg=name)
    again = Stream().push(luma, chroma)
    assert all(np.array_equal(measured[name], getattr(again, name)) for name in wanted)


@pytest.mark.parametrize(
    ("n", "split", "h", "w"),
    [(2, 1, 1, 1), (3, 2, 19, 37), (9, 1, 7, 33), (8, 5, 10, 161), (2, 1, 100, 48)],
)
def test_the_fused_kernels_equal_the_definition(n, split, h, w, close, device):
    import torch

    from kernels.frame_change import fused

    luma, chroma = film(n, h, w)
    planes = [(luma[:split], chroma[:split]), (luma[split:], chroma[split:])]
    state, parts = None, []
    for part in planes:
        given = (torch.as_tensor(plane, device=device) for plane in part)
        signals, state = fused.push(*given, state)
        parts.append(FrameChange(*signals.cpu()))
    for found, wanted in zip(join(parts), frame_change(luma, chroma).values(), strict=True):
        close(found, wanted)


def test_the_fused_kernels_look_back_as_far_as_the_definition_does(close, device):
    import torch

    from kernels.frame_change import fused

    luma, chroma = film(LONG + 1, 10, 17)
    marks = [signature(*planes) for planes in zip(luma[:LONG], chroma[:LONG], strict=True)]
    counts = np.bincount(luma[LONG - 1].ravel() // 8, minlength=32).astype(np.int32)
    luma_, chroma_, counts = (torch.as_tensor(x, device=device) for x in (luma, chroma, counts))
    past = torch.as_tensor(np.stack(marks), dtype=torch.float32, device=device)
    state = (luma_[LONG - 1], counts, past, LONG)
    signals, _ = fused.push(luma_[LONG:], chroma_[LONG:], state)
    for found, wanted in zip(signals, frame_change(luma, chroma).values(), strict=True):
        close(found, wanted[LONG:])


def test_the_fused_kernels_read_nv12_and_padded_rows_where_they_lie(close, device):
    import torch

    from kernels.frame_change import fused

    luma, chroma = film(2, 11, 18)
    padded = torch.full((2, 12, 32), 255, dtype=torch.uint8, device=device)
    padded[:, :11, :18] = torch.as_tensor(luma)
    interleaved = np.ascontiguousarray(np.moveaxis(chroma, 1, -1))
    interleaved = torch.as_tensor(interleaved, device=device)
    signals, _ = fused.push(padded[:, :11, :18], interleaved.movedim(-1, 1), None)
    for found, wanted in zip(signals, frame_change(luma, chroma).values(), strict=True):
        close(found, wanted)


def test_tensors_in_host_memory_are_measured_as_arrays_are():
    import torch

    luma, chroma = film(4)
    found = Stream().push(torch.as_tensor(luma), torch.as_tensor(chroma))
    assert all(
        np.array_equal(a, b) for a, b in zip(found, Stream().push(luma, chroma), strict=True)
    )


def test_a_still_picture_does_not_change():
    signal = Stream().push(*scenes(90))
    assert not any(column.any() for column in signal[1:])


def test_views_that_are_not_contiguous_are_measured_alike():
    luma, chroma = film(12, 36, 64)
    view = Stream().push(luma[::2, ::2, ::2], chroma[::2])
    copy = Stream().push(luma[::2, ::2, ::2].copy(), chroma[::2].copy())
    assert all(np.array_equal(a, b) for a, b in zip(view, copy, strict=True))


def test_an_empty_batch_gives_nothing():
    luma, chroma = film(0)
    assert len(Stream().push(luma, chroma).change) == 0
    assert shots(Stream().push(luma, chroma), np.empty(0)) == []


@pytest.mark.parametrize("bad", [np.float32, np.int32])
def test_other_types_are_refused(bad):
    luma, chroma = film(2)
    with pytest.raises(ValueError, match="uint8"):
        Stream().push(luma.astype(bad), chroma)


@pytest.mark.parametrize(
    ("luma", "chroma"),
    [((2, 9), (2, 2, 4, 8)), ((2, 9, 16), (3, 2, 4, 8)), ((2, 9, 16), (2, 1, 4, 8)),
     ((2, 0, 16), (2, 2, 4, 8))],
)  # fmt: skip
def test_other_shapes_are_refused(luma, chroma):
    with pytest.raises(ValueError, match=r"want|pixels"):
        Stream().push(np.zeros(luma, np.uint8), np.zeros(chroma, np.uint8))


def test_frames_keep_their_size():
    stream = Stream()
    stream.push(*film(2))
    with pytest.raises(ValueError, match="size"):
        stream.push(*film(2, 20, 32))


def test_cuts_are_found_to_the_frame():
    assert found(*scenes(40, 120, 200, 90)) == [40, 80, 120]


def test_a_flash_is_no_cut():
    luma, chroma = scenes(100, 100)
    luma[40] = 255
    assert found(luma, chroma) == []


def test_a_row_of_flashes_is_no_cut():
    luma, chroma = scenes(100, 100)
    luma[40:48:4] = 250
    assert found(luma, chroma) == []


def test_a_dissolve_is_found_in_its_middle():
    random = np.random.default_rng(3)
    a, b = (np.kron(random.integers(20, 235, (9, 16)), np.ones((10, 10))) for _ in range(2))
    mix = np.clip((np.arange(100) - 40) / 20, 0, 1)[:, None, None]
    luma = (a * (1 - mix) + b * mix).astype(np.uint8)
    (boundary,) = found(luma, np.full((100, 2, 45, 80), 128, np.uint8))
    assert 40 <= boundary <= 60


def test_a_fade_through_black_is_one_boundary():
    level = np.concatenate(
        [np.full(40, 160), np.linspace(160, 0, 10), np.linspace(0, 140, 10), np.full(40, 140)]
    )
    luma = np.broadcast_to(level[:, None, None], (100, 90, 160)).astype(np.uint8)
    (boundary,) = found(luma, np.full((100, 2, 45, 80), 128, np.uint8))
    assert 40 <= boundary <= 60


def test_a_recording_that_comes_out_of_black_begins_only_once():
    level = np.concatenate([np.full(30, 0), np.linspace(0, 40, 10), np.full(40, 40)])
    luma = np.broadcast_to(level[:, None, None], (80, 90, 160)).astype(np.uint8)
    assert found(luma, np.full((80, 2, 45, 80), 128, np.uint8)) == []


def test_left_out_frames_make_no_cut_of_a_picture_that_brightens_quickly():
    share = np.clip((np.arange(100) - 40) / 16, 0, 1)
    level = np.round(120 * share**2 * (3 - 2 * share)).astype(int)
    luma = np.add.outer(level, np.tile(np.arange(160) // 2, (90, 1))).astype(np.uint8)
    chroma, times_s = np.full((100, 2, 45, 80), 128, np.uint8), np.arange(100) / 25
    assert found(luma, chroma) == []
    held = np.arange(100) % 2 == 0
    held[0] = False
    before = np.maximum.accumulate(np.where(held, 0, np.arange(100)))
    signal = Stream().push(luma[before], chroma)
    assert len(shots(signal, times_s)) > 1  # what it looks like to those that do not know
    assert len(shots(signal, times_s, held=held)) == 1


@given(held=st.lists(st.booleans(), max_size=40), seed=st.integers(0, 9))
def test_where_nothing_is_left_out_decisions_are_the_same(held, seed):
    luma, chroma = film(40, 9, 16, seed)
    signal, nothing = Stream().push(luma, chroma), np.zeros(40, bool)
    wanted = cut_probability(signal)
    assert np.array_equal(cut_probability(signal, held=nothing), wanted)
    some = np.resize(np.array([False, *held]), 40)
    assert np.isfinite(cut_probability(signal, held=some)).all()


def test_shots_cover_the_recording_without_gaps():
    luma, chroma = film(200)
    parts = shots(Stream().push(luma, chroma), np.arange(200) / 30)
    assert parts[0].first_frame == 0
    assert parts[-1].last_frame == 199
    assert all(
        a.last_frame + 1 == b.first_frame and a.end_s == b.start_s
        for a, b in itertools.pairwise(parts)
    )
