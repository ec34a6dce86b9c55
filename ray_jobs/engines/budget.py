"""A length kept: how long texts take to say, which of them fill a target, how they are laid out."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ray_jobs.engines.narrator import said

GRAIN_S = 0.05
PAUSE_S = 0.35
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.15, 0.9
NEAR_ENOUGH = 0.015
WITHIN = 0.03
ROOM = 0.05
"""What pauses can make up for when a script is laid out, as a share of its target."""


class Pace(NamedTuple):
    """Seconds that a voice takes: for any text, for each letter, for each pause inside it."""

    start_s: float
    letter_s: float
    pause_s: float

    def seconds(self, text: str, language: str) -> float:
        return float(np.dot(self, _features(text, language)))


def pace_of(texts: Sequence[str], seconds: Sequence[float], language: str) -> Pace:
    """The pace that explains how long a voice took for texts: least squares, no term below 0."""
    features = np.array([_features(text, language) for text in texts])
    used = list(range(features.shape[1]))
    while used:
        found = np.linalg.lstsq(features[:, used], np.asarray(seconds), rcond=None)[0]
        if (found >= 0).all():
            values = np.zeros(features.shape[1])
            values[used] = found
            return Pace(*map(float, values))
        used = [column for column, value in zip(used, found, strict=True) if value >= 0]
    raise AssertionError("seconds are positive, so that one term is")


def _features(text: str, language: str) -> tuple[float, float, float]:
    spoken = " ".join(token.spoken for token in said(text, language))
    letters = sum(character.isalnum() for character in spoken)
    inside = spoken.rstrip(" .!?…\"'”’)")
    return 1.0, float(letters), float(sum(inside.count(sign) for sign in ",;:.!?…—–"))


def chosen(
    values: Sequence[float], seconds: Sequence[float], target_s: float
) -> tuple[list[int], float]:
    """Indices of the most valuable set whose length lies within ROOM of the target, else of the
    one whose length is nearest to it; and that length.

    Exact, by dynamic programming over lengths in steps of GRAIN_S.
    """
    room = round(target_s * (1 + ROOM) / GRAIN_S)
    best = np.full(room + 1, -np.inf)
    best[0] = 0.0
    taken = np.zeros((len(values), room + 1), bool)
    for at, (value, length_s) in enumerate(zip(values, seconds, strict=True)):
        size = max(1, round(length_s / GRAIN_S))
        if size > room:
            continue
        with_it = best[: room + 1 - size] + value
        better = with_it > best[size:]
        taken[at, size:] = better
        best[size:] = np.where(better, with_it, best[size:])
    lengths = np.arange(room + 1) * GRAIN_S
    error = np.abs(lengths / target_s - 1)
    inside = np.isfinite(best) & (error <= ROOM)
    if inside.any():
        end = int(np.argmax(np.where(inside, best, -np.inf)))
    else:
        end = int(np.argmin(np.where(np.isfinite(best), error, np.inf)))
    picked = []
    for at in range(len(values) - 1, -1, -1):
        if taken[at, end]:
            picked.append(at)
            end -= max(1, round(seconds[at] / GRAIN_S))
    return picked[::-1], sum(seconds[at] for at in picked)


class Layout(NamedTuple):
    """Lengths of the parts; speech is played `stretch` times as long, with `pause_s` around it."""

    stretch: float
    pause_s: float
    lengths_s: list[float]


def laid_out(
    speech_s: Sequence[float | None],
    kept_s: Sequence[float],
    target_s: float,
    max_stretch: float,
) -> Layout:
    """Lay parts out towards a target: kept ones (speech None) as long as they are, the others with
    a natural pause where that is near enough, else with another pause, else at another pace.
    """
    spoken = [length for length in speech_s if length is not None]
    speech, count = sum(spoken), len(spoken)
    kept = sum(k for k, s in zip(kept_s, speech_s, strict=True) if s is None)
    stretch, pause_s = 1.0, PAUSE_S
    if count and abs((speech + kept + count * PAUSE_S) / target_s - 1) > NEAR_ENOUGH:
        free_s = (target_s - kept - speech) / count
        pause_s = min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, free_s))
        wanted = (target_s - kept - count * pause_s) / speech
        stretch = round(min(1 + max_stretch, max(1 - max_stretch, wanted)), 4)
    lengths = [
        k if s is None else s * stretch + pause_s for k, s in zip(kept_s, speech_s, strict=True)
    ]
    return Layout(stretch, pause_s, lengths)
