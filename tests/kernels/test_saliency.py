"""Saliency follows what moves; the crop path is calm, bounded and inside the picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.saliency import Saliency, Stream, crop_track, join
from kernels.saliency.reference import saliency


def film(n, h=36, w=64, seed=0):
    random = np.random.default_rng(seed)
    luma = random.integers(0, 256, (n, h, w), dtype=np.uint8)
    return luma, random.integers(0, 256, (n, 2, h // 2, w // 2), dtype=np.uint8)


@settings(deadline=None, max_examples=20)
@given(
    n=st.integers(1, 8), split=st.integers(0, 8), h=st.integers(2, 40), w=st.integers(2, 70),
    seed=st.integers(0, 9),
)  # fmt: skip
def test_any_split_equals_the_definition(n, split, h, w, seed):
    luma, chroma = film(n, h, w, seed)
    stream, split = Stream(), min(split, n)
    measured = join(
        [stream.push(luma[:split], chroma[:split]), stream.push(luma[split:], chroma[split:])]
    )
    for i in range(n):
        wanted = saliency(luma[i], chroma[i], luma[max(0, i - 1)])
        got = (measured.energy[i], *measured.centroid[i])
        np.testing.assert_allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("n", "split", "h", "w"),
    [(3, 1, 36, 64), (2, 1, 5, 7), (2, 2, 19, 33), (9, 8, 20, 161), (2, 1, 170, 34)],
)
def test_the_fused_kernels_equal_the_definition(n, split, h, w, close, device):
    import torch

    from kernels.saliency import fused

    luma, chroma = film(n, h, w)
    before, parts = None, []
    for frames in (slice(0, split), slice(split, n)):
        planes = [torch.as_tensor(plane[frames], device=device) for plane in (luma, chroma)]
        if len(planes[0]):
            rows, before = fused.push(*planes, before)
            rows = rows.cpu()
            parts.append(Saliency(rows[:, 0], rows[:, 1:]))
    found = join(parts)
    wanted = [saliency(luma[i], chroma[i], luma[max(0, i - 1)]) for i in range(n)]
    close(np.column_stack([found.energy, found.centroid]), wanted)


def test_the_fused_kernels_read_nv12_and_padded_rows_where_they_lie(close, device):
    import torch

    from kernels.saliency import fused

    luma, chroma = film(2, 22, 36)
    padded = torch.full((2, 23, 64), 255, dtype=torch.uint8, device=device)
    padded[:, :22, :36] = torch.as_tensor(luma)
    interleaved = np.ascontiguousarray(np.moveaxis(chroma, 1, -1))
    interleaved = torch.as_tensor(interleaved, device=device).movedim(-1, 1)
    rows, kept = fused.push(padded[:, :22, :36], interleaved, None)
    close(rows, [saliency(luma[i], chroma[i], luma[0]) for i in range(2)])
    close(kept, luma[1], "uint8")


def test_a_blank_picture_is_centred_on_the_gpu_too(device):
    import torch

    from kernels.saliency import fused

    luma = torch.zeros((1, 36, 64), dtype=torch.uint8, device=device)
    chroma = torch.full((1, 2, 18, 32), 128, dtype=torch.uint8, device=device)
    rows, _ = fused.push(luma, chroma, None)
    assert rows.tolist() == [[0.0, 0.5, 0.5]]


def test_views_that_are_not_contiguous_are_measured_alike():
    luma, chroma = film(6, 72, 128)
    view = Stream().push(luma[::2, ::2, ::2], chroma[::2])
    copy = Stream().push(luma[::2, ::2, ::2].copy(), chroma[::2].copy())
    assert all(np.array_equal(a, b) for a, b in zip(view, copy, strict=True))


def test_an_empty_batch_gives_nothing():
    seen = Stream().push(*film(0))
    assert seen.energy.shape == (0,)
    assert seen.centroid.shape == (0, 2)


def test_frames_keep_their_size():
    stream = Stream()
    stream.push(*film(2))
    with pytest.raises(ValueError, match="size"):
        stream.push(*film(2, 20))


def test_the_centre_lies_on_what_moves():
    luma = np.full((10, 90, 160), 60, np.uint8)
    for i in range(10):
        luma[i, 50:70, 110 + i : 130 + i] = 220
    seen = Stream().push(luma, np.full((10, 2, 45, 80), 128, np.uint8))
    x, y = seen.centroid[5]
    assert 0.65 < x < 0.9
    assert 0.5 < y < 0.8


def test_a_blank_picture_is_centred():
    seen = Stream().push(np.zeros((3, 90, 160), np.uint8), np.full((3, 2, 45, 80), 128, np.uint8))
    assert seen.energy.tolist() == [0, 0, 0]
    assert (seen.centroid == 0.5).all()


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 99), n=st.integers(0, 120), width=st.floats(0.1, 1.0),
    speed=st.floats(0.02, 2.0), cuts=st.lists(st.integers(-5, 130), max_size=4),
)  # fmt: skip
def test_the_path_is_inside_and_never_faster_than_allowed(seed, n, width, speed, cuts):
    random = np.random.default_rng(seed)
    times = np.cumsum(random.uniform(0.02, 0.2, n))
    path = crop_track(
        random.random((n, 2)), random.random(n), times, np.array(cuts, dtype=int),
        window=(width, 1.0), max_speed=speed,
    )  # fmt: skip
    assert path.shape == (n, 2)
    assert (path[:, 0] >= width / 2 - 1e-9).all()
    assert (path[:, 0] <= 1 - width / 2 + 1e-9).all()
    begins = {0, *cuts}
    for i in range(1, n):
        if i not in begins:
            # Reach too short for a grid step is saved up until it makes one.
            reach = speed * width * (times[i] - times[i - 1]) + (1 - width) / 95
            assert abs(path[i, 0] - path[i - 1, 0]) <= reach + 1e-9


def test_a_subject_that_stays_is_held_on_a_tripod():
    random = np.random.default_rng(1)
    wanted = np.stack([0.3 + random.normal(0, 0.01, 100), np.full(100, 0.5)], axis=1)
    path = crop_track(wanted, np.ones(100), np.arange(100) / 10, np.array([0]), window=(0.3, 1))
    assert np.ptp(path[:, 0]) == 0
    assert path[0, 0] == pytest.approx(0.3, abs=0.01)


def test_a_cut_may_jump_to_the_new_subject():
    wanted = np.array([[0.2, 0.5]] * 50 + [[0.8, 0.5]] * 50)
    path = crop_track(wanted, np.ones(100), np.arange(100) / 10, np.array([0, 50]), window=(0.3, 1))
    assert path[49, 0] == pytest.approx(0.2)
    assert path[50, 0] == pytest.approx(0.8)


def test_a_moving_subject_is_followed():
    wanted = np.stack([np.linspace(0.2, 0.8, 100), np.full(100, 0.5)], axis=1)
    path = crop_track(wanted, np.ones(100), np.arange(100) / 10, np.array([0]), window=(0.2, 1))
    assert np.abs(path[:, 0] - wanted[:, 0]).max() < 0.2


def test_one_thing_wins_over_a_picture_that_moves_everywhere():
    random = np.random.default_rng(3)
    luma = random.integers(90, 110, (6, 90, 160)).astype(np.uint8)
    luma[:, 30:50, 120:140] += np.arange(6, dtype=np.uint8)[:, None, None] * 20
    seen = Stream().push(luma, np.full((6, 2, 45, 80), 128, np.uint8))
    assert seen.centroid[3] == pytest.approx([130 / 160, 40 / 90], abs=0.04)


def test_a_glance_elsewhere_does_not_drag_the_camera():
    wanted = np.full((100, 2), 0.3)
    wanted[40:44] = 0.9
    wanted[70:] = 0.8
    path = crop_track(wanted, np.ones(100), np.arange(100) / 5, np.array([0]), window=(0.3, 1))
    assert np.ptp(path[:60, 0]) < 0.06
    assert path[-1, 0] == pytest.approx(0.8, abs=0.05)
