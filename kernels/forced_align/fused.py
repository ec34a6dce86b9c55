"""One program an item: a row of the trellis in registers, taken from frame to frame.

Each lane packs its pointers, three bits a frame, into one word that is written every ten frames, so
back-pointers cost 0.4 bytes a position and frame and no lane waits for another. A second kernel
reads the path back, a third finds the tokens on it.
"""

import numpy as np
import torch
import triton
import triton.language as tl

from kernels.forced_align.reference import STAR

FRAMES_A_WORD = tl.constexpr(10)
LEVEL = tl.constexpr(250)
"""Frames after which a row is levelled, so that float32 stays fine however long the item."""
MOST = 16384
"""Positions that one program holds."""


def align(log_probs, targets, input_lengths, target_lengths, blank, half):
    """All items at once; those whose band was in the way again, in twice the band."""
    widest = int(target_lengths.max()) + 1
    half = -1 if half >= widest - 1 else half
    if half < 0 and widest > MOST:
        raise ValueError(f"more than {MOST - 1} targets need a band on this device")
    device = log_probs.device
    wanted, frames, counts = (
        torch.from_numpy(np.ascontiguousarray(values)).to(device)
        for values in (targets, input_lengths, target_lengths)
    )
    block = triton.next_power_of_2(max(16, widest if half < 0 else 2 * half + 2))
    stars, wrong = _best(log_probs, frames, blank, starred=bool((targets == STAR).any()))
    path, score = _path(log_probs, stars, wanted, frames, counts, blank, half, block)
    *tokens, scores, bound = _tokens(log_probs, stars, wanted, frames, counts, blank, half, path)
    score = torch.where(wrong, torch.nan, score)
    problems = torch.stack([score.isnan(), score == -torch.inf, bound]).cpu().numpy()
    for b in np.flatnonzero(problems[0]):
        raise ValueError(f"item {b}: its log-probabilities hold NaN or +inf")
    again = np.flatnonzero(problems[1:].any(axis=0)) if half >= 0 else []
    bands = torch.full((len(targets),), half, dtype=torch.int64, device=device)
    if len(again):
        part = log_probs[again], targets[again], input_lengths[again], target_lengths[again]
        for values, wider in zip(
            (*tokens, scores, bands), align(*part, blank, 2 * half), strict=True
        ):
            values[again] = wider
    elif problems[1].any():
        raise ValueError(f"item {problems[1].argmax()}: every path has probability zero")
    return (*tokens, scores, bands)


def _best(log_probs, frames, blank, *, starred):
    """What a star scores at each frame [B, T], and which items [B] hold NaN or +inf."""
    every = log_probs if log_probs.dtype == torch.float32 else log_probs.float()
    top = every.amax(dim=2)
    stars = top
    if starred:
        no_blank = torch.tensor([blank], device=log_probs.device)
        stars = every.index_fill(2, no_blank, -torch.inf).amax(dim=2)
    inside = torch.arange(top.shape[1], device=top.device) < frames[:, None]
    return stars, ~((top < torch.inf) | ~inside).all(dim=1)


def _path(log_probs, stars, targets, frames, counts, blank, half, block):
    """The state of every frame [B, T] and the best end's levelled score [B]."""
    items, length, _ = log_probs.shape
    words = triton.cdiv(length, FRAMES_A_WORD.value)
    came = torch.empty((items, words, block), dtype=torch.int32, device=log_probs.device)
    path = torch.empty((items, length), dtype=torch.int32, device=log_probs.device)
    score = torch.empty(items, dtype=torch.float32, device=log_probs.device)
    last = torch.empty(items, dtype=torch.int32, device=log_probs.device)
    sizes = (targets.shape[1], length, words, blank, half)
    forward_kernel[(items,)](
        log_probs, stars, targets, frames, counts, came, score, last, *log_probs.stride(), *sizes,
        STAR=STAR, BANDED=half >= 0, BLOCK=block, num_warps=min(16, max(1, block // 128)),
    )  # fmt: skip
    back_kernel[(items,)](
        came, last, frames, counts, path, length, words, half,
        BANDED=half >= 0, BLOCK=block, num_warps=1,
    )  # fmt: skip
    return path, score


def _tokens(log_probs, stars, targets, frames, counts, blank, half, path):
    """Starts, ends and mean scores of tokens [B, L], scores of paths and what touched its band."""
    items, length = path.shape
    most, on = targets.shape[1], path.device
    starts, ends = (torch.empty((items, most), dtype=torch.int32, device=on) for _ in range(2))
    means = torch.empty((items, most), dtype=torch.float32, device=on)
    sums = torch.empty((items, length + 1), dtype=torch.float64, device=on)
    scores = torch.empty(items, dtype=torch.float64, device=on)
    bound = torch.empty(items, dtype=torch.int32, device=on)
    token_kernel[(items,)](
        log_probs, stars, targets, frames, counts, path, starts, ends, means, sums, scores, bound,
        *log_probs.stride(), most, length, blank, half,
        STAR=STAR, BANDED=half >= 0, BLOCK=1024, num_warps=4,
    )  # fmt: skip
    return starts, ends, means, scores, bound > 0


@triton.jit
def _base(t, frames, count, half, BLOCK: tl.constexpr, BANDED: tl.constexpr):
    """The position that the first lane stands for at frame t."""
    base = t * 0
    if BANDED:
        base = t * (count + 1) // tl.maximum(frames, 1) - half
        base = tl.maximum(0, tl.minimum(base, count + 1 - BLOCK))
    return base


@triton.jit
def _moved(row, lane, by, BLOCK: tl.constexpr):
    """Each lane's value from `by` lanes above, -inf from beyond the block."""
    at = lane + by
    inside = (at >= 0) & (at < BLOCK)
    found = tl.gather(row, tl.where(inside, at, 0), 0)
    return tl.where(inside, found, float("-inf"))


@triton.jit
def forward_kernel(
    log_probs, stars, targets, frames, counts, came, score, last, stride_b, stride_t, stride_c,
    most, length, words, blank, half,
    STAR: tl.constexpr, BANDED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Positions of `BLOCK` labels, each with the blank before it, from the first frame to the last.

    came [B, words, BLOCK] gets, three bits a frame: blank came from a label, label from a blank,
    label from the label before it.
    """
    b = tl.program_id(0).to(tl.int64)
    T = tl.load(frames + b).to(tl.int32)
    L = tl.load(counts + b).to(tl.int32)
    lane = tl.arange(0, BLOCK)
    blanks = tl.where(lane == 0, 0.0, float("-inf"))
    labels = tl.full([BLOCK], float("-inf"), tl.float32)
    note = tl.zeros([BLOCK], tl.int32)
    before_base = T * 0
    target = tl.load(targets + b * most + lane, mask=lane < L, other=blank)
    before = tl.load(targets + b * most + lane - 1, mask=(lane > 0) & (lane < L), other=blank)
    t = T * 0
    while t < T:  # a range whose end was loaded is beyond the interpreter
        base = _base(t, T, L, half, BLOCK, BANDED)
        by = base - before_base
        before_base = base
        j = base + lane
        if BANDED:
            target = tl.load(targets + b * most + j, mask=j < L, other=blank)
            before = tl.load(targets + b * most + j - 1, mask=(j > 0) & (j < L), other=blank)
            blanks = _moved(blanks, lane, by, BLOCK)
            lower = _moved(labels, lane, by - 1, BLOCK)
            labels = _moved(labels, lane, by, BLOCK)
        else:
            lower = _moved(labels, lane, -1, BLOCK)
        frame = log_probs + b * stride_b + t.to(tl.int64) * stride_t
        known = tl.load(
            frame + target * stride_c, mask=(j < L) & (target >= 0), other=float("-inf")
        )
        star = tl.load(stars + b * length + t)
        known = tl.where(target == STAR, star, known.to(tl.float32))
        from_label = lower > blanks
        from_blank = blanks > labels
        best = tl.where(from_blank, blanks, labels)
        skipped = (target != before) & (lower > best)
        best = tl.where(skipped, lower, best)
        blanks = tl.where(from_label, lower, blanks) + tl.load(frame + blank * stride_c).to(
            tl.float32
        )
        labels = best + known
        code = (
            from_label.to(tl.int32) | (from_blank.to(tl.int32) << 1) | (skipped.to(tl.int32) << 2)
        )
        step = t % FRAMES_A_WORD
        note |= code << (3 * step)
        if (step == FRAMES_A_WORD - 1) | (t == T - 1):
            tl.store(came + (b * words + t // FRAMES_A_WORD) * BLOCK + lane, note)
            note = tl.zeros([BLOCK], tl.int32)
        if t % LEVEL == LEVEL - 1:
            top = tl.maximum(tl.max(blanks, 0), tl.max(labels, 0))
            top = tl.where(top == float("-inf"), 0.0, top)
            blanks -= top
            labels -= top
        t += 1
    j = before_base + lane
    at_blank = tl.max(tl.where(j == L, blanks, float("-inf")), 0)
    at_label = tl.max(tl.where(j == L - 1, labels, float("-inf")), 0)
    ends_blank = (L == 0) | (at_blank > at_label)
    tl.store(score + b, tl.maximum(at_blank, at_label))
    tl.store(last + b, tl.where(ends_blank, 2 * L, 2 * L - 1))


@triton.jit
def back_kernel(
    came, last, frames, counts, path, length, words, half,
    BANDED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Read the path back: path [B, T] gets 2 j for the blank before label j, else 2 j + 1."""
    b = tl.program_id(0).to(tl.int64)
    T = tl.load(frames + b).to(tl.int32)
    L = tl.load(counts + b).to(tl.int32)
    state = tl.load(last + b)
    t = T - 1
    while t >= 0:
        tl.store(path + b * length + t, state)
        at = state // 2 - _base(t, T, L, half, BLOCK, BANDED)
        inside = (at >= 0) & (at < BLOCK)
        word = tl.load(came + (b * words + t // FRAMES_A_WORD) * BLOCK + at, mask=inside, other=0)
        code = (word >> (3 * (t % FRAMES_A_WORD))) & 7
        rise = tl.where(state % 2 == 0, code & 1, tl.where(code >= 4, 2, (code >> 1) & 1))
        state = tl.maximum(state - rise, 0)
        t -= 1


@triton.jit
def token_kernel(
    log_probs, stars, targets, frames, counts, path, starts, ends, means, sums, scores, bound,
    stride_b, stride_t, stride_c, most, length, blank, half,
    STAR: tl.constexpr, BANDED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Where a path's states change tokens begin and end; sums [B, T + 1] is for sums on the way."""
    b = tl.program_id(0).to(tl.int64)
    T = tl.load(frames + b).to(tl.int32)
    L = tl.load(counts + b).to(tl.int32)
    lane = tl.arange(0, BLOCK)
    path, sums = path + b * length, sums + b * (length + 1)
    targets, starts, ends, means = (
        targets + b * most, starts + b * most, ends + b * most, means + b * most
    )  # fmt: skip
    total, touched = tl.load(frames + b).to(tl.float64) * 0.0, T * 0
    at = T * 0
    while at < T:
        t = at + lane
        inside = t < T
        state = tl.load(path + t, mask=inside, other=0)
        before = tl.load(path + t - 1, mask=inside & (t > 0), other=-1)
        after = tl.load(path + t + 1, mask=t + 1 < T, other=-1)
        token, label = state // 2, state % 2 == 1
        tl.store(starts + token, t, mask=inside & label & (before != state))
        tl.store(ends + token, t + 1, mask=inside & label & (after != state))
        target = tl.load(targets + token, mask=inside & label, other=blank)
        known = inside & (target >= 0)
        score = tl.load(
            log_probs + b * stride_b + t.to(tl.int64) * stride_t + target * stride_c,
            mask=known, other=0.0,
        ).to(tl.float32)  # fmt: skip
        star = tl.load(stars + b * length + t, mask=inside & (target == STAR), other=0.0)
        score = tl.where(target == STAR, star, score).to(tl.float64)
        tl.store(sums + t, total + tl.cumsum(score, 0) - score, mask=inside)
        total += tl.sum(score, 0)
        if BANDED:
            middle = (t.to(tl.int64) * (L + 1) // tl.maximum(T, 1)).to(tl.int32)
            low = (token > 0) & (token <= middle - half)
            high = (token >= middle + half) & (token < L)
            touched = tl.maximum(touched, tl.max((inside & (low | high)).to(tl.int32), 0))
        at += BLOCK
    tl.store(sums + T, total)
    tl.store(scores + b, total)
    tl.store(bound + b, touched)
    tl.debug_barrier()
    at = L * 0
    while at < most:
        j = at + lane
        inside = j < L
        start = tl.load(starts + j, mask=inside, other=0)
        end = tl.load(ends + j, mask=inside, other=1)
        # Where there is no path there may be anything.
        start, end = tl.minimum(tl.maximum(start, 0), T), tl.minimum(tl.maximum(end, 1), T)
        mean = tl.load(sums + end, mask=inside, other=0.0) - tl.load(
            sums + start, mask=inside, other=0.0
        )
        mean = (mean / (end - start).to(tl.float64)).to(tl.float32)
        tl.store(means + j, tl.where(inside, mean, float("nan")), mask=j < most)
        tl.store(starts + j, -1, mask=(j < most) & (j >= L))
        tl.store(ends + j, -1, mask=(j < most) & (j >= L))
        at += BLOCK
