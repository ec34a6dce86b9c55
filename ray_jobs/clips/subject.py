"""Who is to be seen: from the faces of a clip's pictures to whom the camera follows.

Faces of one person within a shot are linked to a track, which is believed when it lasts. People who
fit into the crop are shown together; where there are more, those who show most of themselves are
held until a pause or a turn gives the word to others, which is told by the motion of the mouths.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ray_jobs.contract import Segment
from ray_jobs.engines.faces import Face

LEAST_SAMPLES, LEAST_SHARE = 5, 0.4
"""A face is believed when it was seen that often, and in that share of its own time."""
SURE = 0.7
"""What detects also sees faces in shadows and stones, but is seldom sure of them for long."""
LINKED, ALIKE = 0.8, 1.6
"""The same face: its middle moved by less than that many faces; its size changed by less."""
BESIDE = 0.5
"""Faces smaller than this share of the largest are of the audience, not of the scene."""
ROOM = 0.9
"""The share of the crop in which people must fit to be shown together."""
GONE_S, HOLD_S = 1.0, 3.0
"""After this another face that is there is taken; after that the camera waits no longer."""
STEP_S = 0.45
"""Mouths are compared over no longer a gap."""
LOUDER = 1.25
"""By how much a mouth must move more than that of the one who is shown."""
MOVING = 0.5
"""Mouths that speak or sing change by 0.6 to 0.9 in a fifth of a second, listeners' by 0.3."""
LEAST_TURN_S, LEAST_HOLD_S = 0.6, 1.5
SPEECH, PAUSE_S = 0.5, 0.3

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Phrase(NamedTuple):
    """A stretch of speech between pauses or turns, and who is known to speak it."""

    start_s: float
    end_s: float
    speaker: str | None = None


class Track(NamedTuple):
    """One face over the n samples of a shot."""

    boxes: Floats
    """[n, 4] middle and size, in between and beyond its sightings as near them."""
    away_s: Floats
    """[n] how far the nearest sighting is; sooner away before the first than after the last."""
    motion: Floats
    """[n] how much its mouth changed since the sample before; NaN where that is unknown."""


def follow(
    times_s: Floats,
    faces: Sequence[Sequence[Face]],
    shots: Sequence[int],
    phrases: Sequence[Phrase],
    window: float,
) -> tuple[Floats, Flags]:
    """Where the camera should look [n, 2], NaN where no face is, and where it jumps to it [n].

    `times_s` [n] grow, `faces` are those of each time's picture, `shots` the indices at which
    another shot begins, `window` the crop's width as a share of the picture's.
    """
    places, jumps = np.full((len(times_s), 2), np.nan), np.zeros(len(times_s), np.bool_)
    for first, end in pairwise([0, *shots, len(times_s)]):
        seen = grouped(prominent(tracks(times_s[first:end], faces[first:end])), window)
        if not seen:
            continue
        heard = [each for each in phrases if each.end_s > times_s[first]]
        who = speaking(times_s[first:end], seen, heard)
        found = np.array([
            seen[k].boxes[i, :2] if seen[k].away_s[i] <= HOLD_S else (np.nan, np.nan)
            for i, k in enumerate(who)
        ])  # fmt: skip
        places[first:end] = found
        turns = np.flatnonzero(np.diff(who)) + 1
        jumps[first + turns] = np.abs(found[turns, 0] - found[turns - 1, 0]) > window / 2
    return places, jumps


# ---- tracks --------------------------------------------------------------------------------------


def tracks(times_s: Floats, faces: Sequence[Sequence[Face]]) -> list[Track]:
    """The faces of one shot that last, largest first."""
    linked: list[list[tuple[int, Face]]] = []
    for i, found in enumerate(faces):
        open_ = [each for each in linked if times_s[i] - times_s[each[-1][0]] <= HOLD_S]
        for face in found:
            near = [each for each in open_ if each[-1][0] < i and _apart(each[-1][1], face) < 1]
            if near:
                min(near, key=lambda each: _apart(each[-1][1], face)).append((i, face))
            else:
                linked.append([(i, face)])
    made = [_track(times_s, each) for each in linked if _believed(each, len(times_s))]
    return sorted(made, key=lambda track: -float(np.median(track.boxes[:, 3])))


def _apart(one: Face, other: Face) -> float:
    """How unlike two sightings are; 1 and more cannot be the same face."""
    size = (one.width + other.width) / 2, (one.height + other.height) / 2
    moved = np.hypot((one.x - other.x) / size[0], (one.y - other.y) / size[1]) / LINKED
    grown = max(one.height, other.height) / min(one.height, other.height)
    return float(moved) if grown < ALIKE else np.inf


def _believed(sightings: Sequence[tuple[int, Face]], samples: int) -> bool:
    own = sightings[-1][0] - sightings[0][0] + 1
    least = min(LEAST_SAMPLES, int(np.ceil(0.6 * samples)))
    often = len(sightings) >= max(least, LEAST_SHARE * own)
    return often and float(np.median([face.score for _, face in sightings])) >= SURE


def _track(times_s: Floats, sightings: Sequence[tuple[int, Face]]) -> Track:
    at = np.array([i for i, _ in sightings])
    boxes = np.array([face[:4] for _, face in sightings], np.float64)
    filled = [np.interp(times_s, times_s[at], boxes[:, column]) for column in range(4)]
    away_s = np.abs(times_s[:, None] - times_s[at]).min(axis=1)
    away_s[: at[0]] += HOLD_S - GONE_S
    motion = np.full(len(times_s), np.nan)
    for (i, one), (j, other) in pairwise(sightings):
        if one.mouth is not None and other.mouth is not None and times_s[j] - times_s[i] <= STEP_S:
            motion[j] = float(np.abs(one.mouth - other.mouth).mean())
    return Track(np.stack(filled, axis=1), away_s, motion)


def prominent(seen: Sequence[Track]) -> list[Track]:
    """Those whom the scene is about, of tracks that are sorted by size."""
    sizes = [float(np.median(track.boxes[:, 3])) for track in seen]
    return [track for track, size in zip(seen, sizes, strict=True) if size >= BESIDE * sizes[0]]


def grouped(seen: Sequence[Track], window: float) -> list[Track]:
    """People who fit into the window together as one track, those with the largest faces first."""
    left, groups = list(seen), []
    while left:
        usual = [np.median(track.boxes, axis=0) for track in left]
        starts = [x - width / 2 for x, _, width, _ in usual]
        inside = [
            [
                x + width / 2 <= start + ROOM * window and x - width / 2 >= start
                for x, _, width, _ in usual
            ]
            for start in starts
        ]
        area = [
            sum(b[2] * b[3] for b, fits in zip(usual, row, strict=True) if fits) for row in inside
        ]
        best = int(np.argmax(area))
        # A face that is larger than the window is shown all the same.
        taken = [fits or n == best for n, fits in enumerate(inside[best])]
        groups.append(_merged([track for track, fits in zip(left, taken, strict=True) if fits]))
        left = [track for track, fits in zip(left, taken, strict=True) if not fits]
    return groups


def _merged(seen: Sequence[Track]) -> Track:
    """The box around those of them who are there, and the motion of the liveliest mouth."""
    boxes = np.stack([track.boxes for track in seen])
    away_s = np.stack([track.away_s for track in seen])
    out = (away_s > np.maximum(HOLD_S, away_s.min(axis=0)))[..., None]
    low = np.where(out, np.inf, boxes[..., :2] - boxes[..., 2:] / 2).min(axis=0)
    high = np.where(out, -np.inf, boxes[..., :2] + boxes[..., 2:] / 2).max(axis=0)
    around = np.concatenate([(low + high) / 2, high - low], axis=1)
    motion = np.fmax.reduce([track.motion for track in seen])
    return Track(around, away_s.min(axis=0), motion)


# ---- whom to show --------------------------------------------------------------------------------


def speaking(times_s: Floats, seen: Sequence[Track], phrases: Sequence[Phrase]) -> list[int]:
    """Which track to show at each time [n].

    The first is the one who clearly speaks first, or the largest. Another takes over where a phrase
    begins in which its mouth moves clearly more, but never soon after the last change; or where the
    one who is shown is gone.
    """
    motion = np.nan_to_num(np.stack([track.motion for track in seen]))
    there = np.stack([track.away_s <= GONE_S for track in seen])
    begun = {}
    for phrase in phrases:
        inside = np.flatnonzero((times_s >= phrase.start_s) & (times_s < phrase.end_s))
        if len(inside) and phrase.end_s - phrase.start_s >= LEAST_TURN_S:
            begun[int(inside[0])] = _moved(motion, times_s, phrase, phrases)
    first = min(begun, default=0)
    current = _louder(begun[first] * there[:, first], 0) if begun else 0
    who, since_s = [], float(times_s[0])
    for i, time_s in enumerate(times_s):
        best = current
        if not there[current, i] and there[:, i].any():
            best = int(np.argmax(there[:, i]))
        elif i in begun and time_s - since_s >= LEAST_HOLD_S:
            best = _louder(begun[i] * there[:, i], current)
        if best != current:
            current, since_s = best, float(time_s)
        who.append(current)
    return who


def _louder(moved: Floats, current: int) -> int:
    """The one whose mouth moves most, where it speaks and clearly more than the current one's."""
    most = int(np.argmax(moved))
    return most if moved[most] > max(MOVING, LOUDER * moved[current]) else current


def _moved(motion: Floats, times_s: Floats, phrase: Phrase, phrases: Sequence[Phrase]) -> Floats:
    """How much each mouth moves in a phrase, or in all of the shot that its speaker says."""
    own = [phrase]
    if phrase.speaker:
        own = [each for each in phrases if each.speaker == phrase.speaker]
    heard = np.zeros(len(times_s), np.bool_)
    for each in own:
        heard |= (times_s >= each.start_s) & (times_s < each.end_s)
    return np.asarray(motion[:, heard].mean(axis=1))


def phrases_in(speech: Floats, rate_hz: float, segments: Sequence[Segment]) -> list[Phrase]:
    """The phrases of a track of speech probability, cut where the transcript's speaker changes."""
    on = np.concatenate(([0], (np.nan_to_num(speech) >= SPEECH).astype(np.int8), [0]))
    edges = np.flatnonzero(np.diff(on)) / rate_hz
    spans: list[list[float]] = []
    for start_s, end_s in edges.reshape(-1, 2).tolist():
        if spans and start_s - spans[-1][1] < PAUSE_S:
            spans[-1][1] = end_s
        else:
            spans.append([start_s, end_s])
    said = [each for each in segments if each.speaker]
    turns = [b.start_s for a, b in pairwise(said) if a.speaker != b.speaker]
    starts, speakers = np.array([each.start_s for each in said]), [each.speaker for each in said]
    found = []
    for start_s, end_s in spans:
        inside = [time_s for time_s in turns if start_s < time_s < end_s]
        for a, b in pairwise([start_s, *inside, end_s]):
            before = int(np.searchsorted(starts, (a + b) / 2)) - 1
            found.append(Phrase(a, b, speakers[max(0, before)] if speakers else None))
    return found
