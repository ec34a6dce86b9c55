"""Every window's score is the sum of its parts, by the definition, whatever the way to it."""

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.window_scores import (
    SHAPES,
    Grid,
    Pairs,
    Parts,
    Terms,
    all_scores,
    cpu,
    fused,
    reference,
    top_windows,
    window_parts,
)
from kernels.window_scores.layout import layout

PARTS = len(Parts._fields)


def made(tracks, frames, seed, *, level=0.0, size=1.0, holes=0.0):
    """Tracks of noise around a level; a share of the frames is NaN or infinite."""
    random = np.random.default_rng(seed)
    values = level + size * random.normal(0, 1, (tracks, frames))
    values[random.random(values.shape) < holes] = random.choice([np.nan, np.inf])
    return values


def terms(tracks, seed, *, level=0.0, size=1.0):
    random = np.random.default_rng(seed + 1)
    shape = (PARTS, tracks)
    low = level + size * random.normal(0, 1, shape)
    return Terms(
        random.normal(0, 1, shape), low, low + size * random.choice([-1.0, 0.5, 2.0], shape),
        random.choice(SHAPES, shape),
    )  # fmt: skip


inputs = given(
    tracks=st.integers(1, 9), frames=st.integers(1, 40), seed=st.integers(0, 999),
    level=st.sampled_from([0.0, -30.0, 1e4]), size=st.sampled_from([1.0, 1e-3, 1e30]),
    holes=st.sampled_from([0.0, 0.1, 0.6, 1.0]),
)  # fmt: skip
many = settings(deadline=None, max_examples=60)


@many
@inputs
def test_parts_equal_the_definition(tracks, frames, seed, level, size, holes):
    values = made(tracks, frames, seed, level=level, size=size, holes=holes)
    random = np.random.default_rng(seed)
    starts = random.integers(0, frames, 12)
    ends = np.minimum(frames, starts + random.integers(1, frames + 1, 12))
    found = window_parts(values, starts, ends, edge_frames=2)
    for i, (a, b) in enumerate(zip(starts, ends, strict=True)):
        for t, track in enumerate(values):
            wanted = reference.parts_of(track, a, b, 2)
            scale = 1.0 if np.isnan(wanted.peak) else abs(wanted.peak) + size
            for name in Parts._fields:
                np.testing.assert_allclose(
                    getattr(found, name)[t, i], getattr(wanted, name), err_msg=name,
                    rtol=1e-7, atol=1e-6 if name == "coherence" else 1e-9 * scale,
                )  # fmt: skip


@many
@inputs
def test_the_best_of_a_grid_are_the_best_by_the_definition(
    tracks, frames, seed, level, size, holes
):
    values = made(tracks, frames, seed, level=level, size=size, holes=holes)
    random = np.random.default_rng(seed)
    grid = Grid(*random.integers(1, 12, 2).cumsum(), *random.integers(1, 4, 2))
    held(values, grid, terms(tracks, seed, level=level, size=size))


@many
@inputs
def test_the_best_of_boundary_pairs_are_the_best_by_the_definition(
    tracks, frames, seed, level, size, holes
):
    values = made(tracks, frames, seed, level=level, size=size, holes=holes)
    random = np.random.default_rng(seed)
    starts, ends = random.integers(0, frames + 1, (2, 8))
    pairs = Pairs(starts, ends, *random.integers(1, 12, 2).cumsum())
    held(values, pairs, terms(tracks, seed, level=level, size=size))


def held(values, windows, wanted_terms, k=5):
    """The kept windows' scores equal the definition's, and so does every single score."""
    bound, plan = wanted_terms.over(len(values)), layout(windows, values.shape[1])
    kept = top_windows(values, windows, wanted_terms, k, edge_frames=2)
    spans = reference.top(values, plan, bound, k, 2)
    wanted = [reference.score(values, a, b, bound, 2) for a, b in spans]
    np.testing.assert_allclose(kept.scores, wanted, atol=2e-6)
    np.testing.assert_allclose(kept.contributions.sum((1, 2)), kept.scores, atol=1e-12)
    first, last, scores = all_scores(values, windows, wanted_terms, edge_frames=2)
    for a, b, score in zip(first, last, scores, strict=True):
        assert score == pytest.approx(reference.score(values, a, b, bound, 2), abs=2e-6)


@settings(deadline=None, max_examples=12)
@given(
    tracks=st.integers(1, 3), frames=st.integers(1, 30), seed=st.integers(0, 999),
    level=st.sampled_from([0.0, -30.0]), size=st.sampled_from([1.0, 1e30]),
    holes=st.sampled_from([0.0, 0.3, 1.0]),
)  # fmt: skip
def test_the_fused_search_finds_what_the_cpu_finds(
    device, tracks, frames, seed, level, size, holes
):
    values = made(tracks, frames, seed, level=level, size=size, holes=holes)
    random = np.random.default_rng(seed)
    bound = terms(tracks, seed, level=level, size=size).over(tracks)
    band = random.integers(1, 12, 2).cumsum()
    for windows in (
        Grid(*band, *random.integers(1, 4, 2)),
        Pairs(*random.integers(0, frames + 1, (2, 8)), *band),
    ):
        plan = layout(windows, frames)
        if not plan.size:
            continue
        on_device, wanted = torch.from_numpy(values).to(device), cpu.every(values, plan, bound, 2)
        np.testing.assert_allclose(fused.every(on_device, plan, bound, 2), wanted, atol=2e-4)
        first, last, raw = fused.top(on_device, plan, bound, min(5, plan.size), 2)
        starts, ends = plan.windows()
        found = wanted[np.searchsorted(100 * starts + ends, 100 * first + last)]
        np.testing.assert_allclose(found, np.sort(wanted)[::-1][:5], atol=2e-4)
        exact = cpu.measure(values, first, last, 2)
        np.testing.assert_allclose(raw, exact, rtol=1e-5, atol=1e-6 * (size + abs(level) + 1))


def test_the_fused_search_keeps_more_than_a_tile_holds_and_orders_ties(device):
    flat, windows = torch.ones((2, 60), device=device), layout(Grid(5, 40), 60)
    bound = Terms(1.0, 0.0, 1.0).over(2)
    for k in (7, 200):
        first, last, _ = fused.top(flat, windows, bound, k, 3)
        wanted = [x[:k].tolist() for x in windows.windows()]
        assert [first.tolist(), last.tolist()] == wanted


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("holes", [0.0, 0.05])
def test_an_hour_scores_on_the_gpu_as_on_the_cpu(holes):
    values, wanted, grid = made(16, 36_000, 1, holes=holes), terms(16, 1), Grid(150, 900, 5, 5)
    ours = top_windows(torch.from_numpy(values).cuda(), grid, wanted, 10)
    theirs = top_windows(values, grid, wanted, 10)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-4)


@pytest.mark.parametrize("holes", [0.0, 0.2])
def test_any_number_of_threads_gives_the_same_windows(holes):
    values, wanted = made(5, 900, 3, holes=holes), terms(5, 3)
    found = []
    for threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
        numba.set_num_threads(threads)
        found.append(top_windows(values, Grid(20, 120, 3, 2), wanted, 25))
    for other in found[1:]:
        for mine, theirs in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_equal_scores_stand_by_start_then_by_end():
    kept = top_windows(np.ones((2, 30)), Grid(5, 7), Terms(1.0, 0.0, 1.0), 5)
    assert kept.starts.tolist() == [0, 0, 0, 1, 1]
    assert kept.ends.tolist() == [5, 6, 7, 6, 7]


@pytest.mark.parametrize("part", range(PARTS))
def test_a_larger_weight_never_lowers_a_score(part):
    values, windows = made(3, 80, part), Grid(10, 30, 2, 3)
    weight = np.ones((PARTS, 3))
    lower = all_scores(values, windows, Terms(weight, -1.0, 1.0, "smooth"))[2]
    weight[part] = 2
    assert (all_scores(values, windows, Terms(weight, -1.0, 1.0, "smooth"))[2] >= lower).all()


def test_torch_strided_and_half_precise_tracks_are_read_as_they_are():
    values = made(4, 60, 0).astype(np.float32)
    windows, wanted = Grid(5, 20), terms(4, 0)
    plain = top_windows(values, windows, wanted, 3)
    wide = np.repeat(values, 2, axis=1)[:, ::2]
    for same in (torch.from_numpy(values), wide, np.asfortranarray(values)):
        np.testing.assert_array_equal(top_windows(same, windows, wanted, 3).scores, plain.scores)


@pytest.mark.parametrize("windows", [Grid(50, 90), Pairs([], [3], 1, 9), Pairs([5], [2], 1, 9)])
def test_where_no_window_fits_none_is_kept(windows):
    kept = top_windows(np.zeros((2, 10)), windows, Terms(1.0, 0.0, 1.0), 3)
    assert len(kept.scores) == 0
    assert kept.raw.shape == (0, PARTS, 2)
    assert len(all_scores(np.zeros((2, 10)), windows, Terms(1.0, 0.0, 1.0))[2]) == 0


@pytest.mark.parametrize(("start", "end"), [(0, 0), (-1, 2), (0, 99), (3, 2)])
def test_windows_outside_the_tracks_are_refused(start, end):
    with pytest.raises(ValueError, match="window"):
        window_parts(np.zeros((1, 10)), np.array([start]), np.array([end]))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: top_windows(x, Grid(1, 2), Terms(1.0, 0.0, 1.0), 0),
        lambda x: top_windows(x[0], Grid(1, 2), Terms(1.0, 0.0, 1.0), 1),
        lambda x: top_windows(x, Grid(0, 2), Terms(1.0, 0.0, 1.0), 1),
        lambda x: top_windows(x, Grid(1, 2, 0), Terms(1.0, 0.0, 1.0), 1),
        lambda x: top_windows(x, Grid(1, 2), Terms(1.0, 0.5, 0.5), 1),
        lambda x: top_windows(x, Grid(1, 2), Terms(np.nan, 0.0, 1.0), 1),
        lambda x: top_windows(x, Grid(1, 2), Terms(1.0, 0.0, 1.0, "wave"), 1),
        lambda x: top_windows(x, Pairs([0], [99], 1, 2), Terms(1.0, 0.0, 1.0), 1),
        lambda x: window_parts(x, [0], [1], edge_frames=0),
    ],
)
def test_what_makes_no_sense_is_refused(call):
    with pytest.raises(ValueError, match=r"must|one of"):
        call(np.zeros((2, 10)))
