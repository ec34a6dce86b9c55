"""Where a clip's picture should be centred: on faces, on what is to be read, or on what moves."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal, cast

import numpy as np

from ray_jobs.clips.features import RATE_HZ, Features
from ray_jobs.clips.lettering import card, to_be_read
from ray_jobs.clips.subject import Flags, Floats, follow, phrases_in
from ray_jobs.contract import CropPoint, MediaInfo, Segment
from ray_jobs.engines import faces, letters
from ray_jobs.engines.faces import Face
from ray_jobs.engines.letters import Line
from ray_jobs.media.decode import pictures_at
from ray_jobs.media.reframe import shown_area, shown_ratio

CROP_EVERY = 2
NARROWEST = Fraction(9, 16)
"""The shape into which people must fit to be shown together."""
READ_EVERY, READ_FIRST = 10, 2
"""Points of the track from one look for letters to the next, and from a cut to the first: letters
are there to be read for two seconds or more, and often fade in.
"""
LATER_S = 1e-3
"""A cut's time is rounded: just at it the shot before might still be on screen."""


def camera(
    path: Path,
    media: MediaInfo,
    features: Features,
    segments: Sequence[Segment],
    start_s: float,
    end_s: float,
) -> tuple[list[CropPoint], Literal["face", "text", "motion"] | None]:
    """What the crop of a span should follow, at 5 Hz, and what that is for most of the time.

    Where no face is found, it is the letters of a shot that is there to be read; else, as where
    nothing is installed to find either, the centre of what moves.
    """
    track = crop_points(features, start_s, end_s)
    if not media.video_codec:
        return track, None
    times_s = np.array([point.time_s for point in track])
    width, height = media.width or 1, media.height or 1
    shots = [n for n, point in enumerate(track) if point.cut and n]
    begun = 0
    people: list[list[Face]] = []
    lines: list[list[Line] | None] = []
    for n, picture in enumerate(pictures_at(
        path, media, (times_s + LATER_S).tolist(), height=faces.look_height(width, height)
    )):  # fmt: skip
        begun = n if n in shots else begun
        people.append(faces.faces_in(picture) if faces.available() else [])
        looked = letters.available() and not people[-1] and (n - begun) % READ_EVERY == READ_FIRST
        lines.append(to_be_read(picture) if looked else None)
    heard = features.tracks["speech"][: int(np.ceil(end_s * RATE_HZ))]
    phrases = [each for each in phrases_in(heard, RATE_HZ, segments) if each.end_s > start_s]
    window = min(1.0, float(NARROWEST / shown_ratio(media))) * shown_area(media).width / width
    places, jumps = follow(times_s, people, shots, phrases, window)
    seen = np.isfinite(places[:, 0])
    track, read = legible(led(track, places, jumps), lines, shots, seen)
    shares = {"face": seen.mean(), "text": read.mean(), "motion": 0.5}
    return track, cast("Literal['face', 'text', 'motion']", max(shares, key=shares.__getitem__))


def crop_points(features: Features, start_s: float, end_s: float) -> list[CropPoint]:
    """The eye's centre at 5 Hz over a span, with a cut where a shot begins."""
    cuts = [float(cast("float", s["start_s"])) for s in features.shots]
    cuts = [time_s for time_s in cuts if start_s < time_s < end_s]
    frames = range(int(start_s * RATE_HZ), min(features.frames, int(np.ceil(end_s * RATE_HZ))))
    times = sorted({start_s, *cuts, *(f / RATE_HZ for f in frames[::CROP_EVERY])})
    points = []
    for time_s in times:
        if not start_s <= time_s <= end_s:
            continue
        # The frame in which a shot begins still shows the one before; the next is all its own.
        place = np.ceil(time_s * RATE_HZ - 1e-6) if time_s in cuts else time_s * RATE_HZ + 1e-6
        x, y = features.centroid[min(features.frames - 1, int(place))]
        x, y = (float(v) if np.isfinite(v) else 0.5 for v in (x, y))
        points.append(
            CropPoint(time_s=round(time_s, 3), x=round(x, 4), y=round(y, 4), cut=time_s in cuts)
        )
    return points


def led(track: Sequence[CropPoint], places: Floats, jumps: Flags) -> list[CropPoint]:
    """The track moved to the places [n, 2] that are known, with a cut where it jumps [n]."""
    inside = np.clip(np.round(places, 4), 0, 1).tolist()
    return [
        point
        if np.isnan(x)
        else CropPoint(time_s=point.time_s, x=x, y=y, cut=point.cut or bool(jump))
        for point, (x, y), jump in zip(track, inside, jumps, strict=True)
    ]


def legible(
    track: Sequence[CropPoint],
    lines: Sequence[Sequence[Line] | None],
    shots: Sequence[int],
    followed: Flags,
) -> tuple[list[CropPoint], Flags]:
    """The track led over the letters of shots that are there to be read and show no face, with the
    width that must be seen of them; and where that is [n].

    `lines` are of each point's picture, None where it was not looked at; `shots` the indices at
    which another shot begins; `followed` [n] says where a face is.
    """
    moved, read = list(track), np.zeros(len(track), np.bool_)
    for first, end in pairwise([0, *shots, len(track)]):
        looks = [each for each in lines[first:end] if each is not None]
        found = None if followed[first:end].any() else card(looks)
        if found is None:
            continue
        read[first:end] = True
        x, width = round(found.x, 4), round(found.width, 4)
        moved[first:end] = [
            point.model_copy(update={"x": x, "width": width}) for point in track[first:end]
        ]
    return moved, read
