"""Times of words in order: no gap left untimed, no word before its neighbour."""

import itertools
from collections.abc import Sequence

Span = tuple[float, float]


def filled(
    times: Sequence[Span | None],
    weights: Sequence[float],
    start_s: float,
    end_s: float,
    *,
    most_s: float = float("inf"),
) -> list[Span]:
    """Times for all, in order and within `start_s..end_s`; those that are None share the gap
    between their neighbours by weight (letters, say), at most `most_s` for a weight of one, and
    stay with the neighbour before.
    """
    low = start_s
    ordered: list[Span | None] = []
    for time in times:
        span = None
        if time:
            start = min(end_s, max(low, time[0]))
            span = (start, min(end_s, max(start, time[1])))
            low = span[1]
        ordered.append(span)
    result: list[Span] = []
    at = 0
    while at < len(ordered):
        span = ordered[at]
        if span is not None:
            result.append(span)
            at += 1
            continue
        last = at
        while last < len(ordered) and ordered[last] is None:
            last += 1
        following = ordered[last] if last < len(ordered) else None
        after = following[0] if following else end_s
        most = most_s * sum(weights[at:last])
        before = result[-1][1] if result else max(start_s, after - most)
        result.extend(shared(weights[at:last], before, min(after, before + most)))
        at = last
    return result


def shared(weights: Sequence[float], start_s: float, end_s: float) -> list[Span]:
    """`start_s..end_s` cut into consecutive spans as long as the weights say."""
    total = sum(weights)
    shares = (
        [weight / total for weight in weights] if total > 0 else [1 / len(weights)] * len(weights)
    )
    edges, done = [start_s], 0.0
    for share in shares:
        done += share
        edges.append(min(end_s, start_s + (end_s - start_s) * done))
    return list(itertools.pairwise(edges))


def mean_score(found: Sequence[Sequence[float]]) -> float:
    """Mean score of a frame over aligned (start, end, score)."""
    length = sum(end - start for start, end, _ in found)
    return sum((end - start) * score for start, end, score in found) / length
