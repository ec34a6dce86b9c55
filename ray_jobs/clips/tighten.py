"""What a clip can do without: words that only fill time, and long silence between words."""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ray_jobs.clips.features import RATE_HZ, Features
from ray_jobs.contract import ClipEdit, Word

FILLERS = {
    "de": {"äh", "ähm", "öh", "öhm", "hm", "mhm"},
    "en": {"uh", "uhh", "um", "umm", "uhm", "er", "erm", "hmm", "mhm"},
    "es": {"eh", "ehm", "em"},
    "fr": {"euh", "heu", "hem"},
    "it": {"ehm", "eh", "mh"},
    "pt": {"hum", "hã", "ahn"},
}
CLOSE_S = 0.35
"""A filler takes the pause after it along where that is shorter than this."""
MAX_PAUSE_S = 1.0
LEFT_S = 0.2
"""What is left of a pause on either side."""
QUIET_LU = 12.0
SPEECH = 0.3


def suggested(
    words: Sequence[Word], features: Features, *, language: str | None, applied: bool
) -> list[ClipEdit]:
    """Edits of a clip, in order and apart; `words` are its own, in order.

    A filler is a word of its language's list whose times were measured. A pause is dead air: for
    more than MAX_PAUSE_S nobody speaks, and it is QUIET_LU quieter than the middle loudness at
    which the clip's words are spoken, so that music, applause and laughter stay.
    """
    found = [*_fillers(words, language), *_pauses(words, features)]
    apart: list[ClipEdit] = []
    for edit in sorted(found, key=lambda edit: edit.start_s):
        if not apart or edit.start_s >= apart[-1].end_s:
            apart.append(edit.model_copy(update={"applied": applied}))
    return apart


def _fillers(words: Sequence[Word], language: str | None) -> list[ClipEdit]:
    known = FILLERS.get((language or "").split("-")[0])
    listed = known if known is not None else set().union(*FILLERS.values()) if not language else ()
    found = []
    for number, word in enumerate(words):
        if _plain(word.text) not in listed or word.interpolated:
            continue
        following = words[number + 1].start_s if number + 1 < len(words) else word.end_s
        end_s = following if 0 <= following - word.end_s < CLOSE_S else word.end_s
        if end_s > word.start_s:
            text = word.text[:200]
            found.append(
                ClipEdit(start_s=word.start_s, end_s=end_s, reason="filler", text=text)
            )  # fmt: skip
    return found


def _pauses(words: Sequence[Word], features: Features) -> list[ClipEdit]:
    speech, loudness = features.tracks["speech"], features.tracks["loudness_lufs"]
    spoken = [loudness[_bins(word.start_s, word.end_s, features.frames)] for word in words]
    levels = np.concatenate(spoken) if spoken else np.zeros(0)
    if not np.isfinite(levels).any():
        return []
    dead = (speech < SPEECH) & (loudness < np.nanmedian(levels) - QUIET_LU)
    found = []
    for before, after in pairwise(words):
        if after.start_s - before.end_s <= MAX_PAUSE_S:
            continue
        first, last = _longest(dead[_bins(before.end_s, after.start_s, features.frames)])
        zero_s = np.ceil(before.end_s * RATE_HZ) / RATE_HZ
        start_s = max(zero_s + first / RATE_HZ, before.end_s + LEFT_S)
        end_s = min(zero_s + last / RATE_HZ, after.start_s - LEFT_S)
        if end_s - start_s > MAX_PAUSE_S - 2 * LEFT_S:
            found.append(
                ClipEdit(start_s=round(start_s, 3), end_s=round(end_s, 3), reason="pause")
            )  # fmt: skip
    return found


def _bins(start_s: float, end_s: float, frames: int) -> slice:
    """Frames of the tracks that lie wholly within a span."""
    first = min(frames, int(np.ceil(start_s * RATE_HZ)))
    return slice(first, max(first, min(frames, int(end_s * RATE_HZ))))


def _longest(dead: np.ndarray) -> tuple[int, int]:
    """The longest run of true values, [first, last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], dead, [False]])))
    runs = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    return max(runs, key=lambda run: run[1] - run[0], default=(0, 0))


def _plain(text: str) -> str:
    return re.sub(r"[^\w]", "", text).casefold()
