"""Transcripts and features made up by rule, so that what must be found is known."""

from itertools import pairwise

import numpy as np
import pytest

from ray_jobs.clips.features import AUDIO_TRACKS, RATE_HZ, VIDEO_TRACKS, Features
from ray_jobs.contract import FindClips, MediaInfo, Segment, Source, Word

VIDEO_ID = "22222222-2222-4222-8222-222222222222"
OBJECT = {"key": "orgs/x/v", "sha256": "0" * 64, "size_bytes": 1, "content_type": "video/mp4"}


def spoken(*sentences: tuple[float, str], pace_s: float = 0.3) -> list[Segment]:
    """Segments from (start, text): each word lasts 0.25 s and begins `pace_s` after the last."""
    segments, count = [], 0
    for number, (start_s, text) in enumerate(sentences):
        words = []
        for place, token in enumerate(text.split()):
            at_s = round(start_s + place * pace_s, 3)
            words.append(
                Word(id=f"w{count}", text=token, start_s=at_s, end_s=at_s + 0.25, confidence=0.9)
            )
            count += 1
        segments.append(
            Segment(
                id=f"s{number}", start_s=start_s, end_s=words[-1].end_s, text=text,
                confidence=0.9, words=words,
            )
        )  # fmt: skip
    return segments


def measured(duration_s: float, *, shots: tuple[float, ...] = (0.0,), seed: int = 1) -> Features:
    """Features with noise on every track, and shots that begin at the given times."""
    random = np.random.default_rng(seed)
    frames = max(1, int(np.ceil(duration_s * RATE_HZ)))
    tracks = {name: random.random(frames) for name in VIDEO_TRACKS + AUDIO_TRACKS}
    tracks["loudness_lufs"] = random.uniform(-40, -10, frames)
    bounds = [*shots, duration_s]
    cuts = [
        {"start_s": a, "end_s": b, "first_frame": 0, "last_frame": 1, "transition": "cut"}
        for a, b in pairwise(bounds)
    ]
    return Features(tracks, np.full((frames, 2), 0.5), cuts, duration_s)


@pytest.fixture
def order():
    """`order(duration_s, segments, **more)` is a FindClips spec."""

    def make(duration_s: float, segments: list[Segment], **more) -> FindClips:
        media = MediaInfo(container="mp4", duration_s=duration_s)
        source = Source(video_id=VIDEO_ID, object=OBJECT, media=media)
        return FindClips(source=source, segments=segments, **more)

    return make
