"""One program an item: a row of the trellis in registers, taken from frame to frame.

Each lane packs its pointers, three bits a frame, into one word that is written every ten frames, so
back-pointers cost 0.4 bytes a position and frame and no lane waits for another. A second kernel
reads the path back; tokens follow from the path in a few tensor operations.
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
    path, score, stars = _path(log_probs, wanted, frames, counts, blank, half, widest)
    found = _tokens(log_probs, wanted, frames, counts, blank, half, path, stars)
    *tokens, scores, bound = found
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


def _path(log_probs, targets, frames, counts, blank, half, widest):
    """The state of every frame [B, T], the best end's levelled score [B], stars' scores [B, T].

    The score is NaN where an item holds NaN or +inf.
    """
    items, length, _ = log_probs.shape
    block = triton.next_power_of_2(max(16, widest if half < 0 else 2 * half + 2))
    others = log_probs.float().index_fill(
        2, torch.tensor([blank], device=log_probs.device), -torch.inf
    )
    stars = others.amax(dim=2)
    inside = torch.arange(length, device=log_probs.device) < frames[:, None]
    top = torch.where(inside, torch.maximum(stars, log_probs[:, :, blank].float()), -torch.inf)
    wrong = ~(top < torch.inf).all(dim=1)
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
    return path, torch.where(wrong, torch.nan, score), stars


def _tokens(log_probs, targets, frames, counts, blank, half, path, stars):
    items, length = path.shape
    most = targets.shape[1]
    t = torch.arange(length, device=path.device)
    inside = t < frames[:, None]
    path = torch.where(inside, path, 0).long()
    label, token = path % 2 == 1, path // 2
    padded = torch.nn.functional.pad(targets, (0, 1))
    classes = torch.where(label, padded.gather(1, token.clamp(max=most)), blank)
    scores = log_probs.gather(2, classes.clamp(min=0)[:, :, None])[:, :, 0].float()
    scores = torch.where(classes == STAR, stars, scores).double()
    scores = torch.where(inside, scores, 0.0)
    place = torch.where(inside & label, token, most)
    when = t.int().expand(items, length)
    starts = torch.full((items, most + 1), length, dtype=torch.int32, device=path.device)
    starts = starts.scatter_reduce(1, place, when, "amin")[:, :most]
    ends = torch.full((items, most + 1), -1, dtype=torch.int32, device=path.device)
    ends = ends.scatter_reduce(1, place, when + 1, "amax")[:, :most]
    sums = torch.zeros((items, most + 1), dtype=torch.float64, device=path.device)
    sums = sums.scatter_add(1, place, scores)[:, :most]
    there = ends >= 0
    means = torch.where(there, sums / (ends - starts), torch.nan).float()
    bound = torch.zeros(items, dtype=torch.bool, device=path.device)
    if half >= 0:
        count = counts[:, None]
        middle = t * (count + 1) // frames[:, None].clamp(min=1)
        below = (token > 0) & (token <= middle - half)
        bound = (inside & (below | ((token >= middle + half) & (token < count)))).any(dim=1)
    return torch.where(there, starts, -1), ends, means, scores.sum(dim=1), bound


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
