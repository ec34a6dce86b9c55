"""Which frames of the source a clip is made of, at which constant rate."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from ray_jobs.contract import ClipCut, ClipEdit, Json, MediaInfo
from ray_jobs.failures import Failure
from ray_jobs.media.container import open_media, video_stream

STANDARD_RATES = tuple(
    Fraction(rate)
    for rate in ("24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60")
)
RATE_TOLERANCE = 0.004
LOOK_AHEAD_S = 1.0


@dataclass(frozen=True)
class Cut:
    """`frames` pictures at `rate`, the first one at `start_s` of the source.

    `seek_s` lies just before the source frame that is on screen at `start_s`. `left_out` are spans
    [first, last) of frames, counted at `rate` from `start_s` on, in order and apart, that are not
    among the `frames`.
    """

    start_s: float
    seek_s: float
    rate: Fraction
    frames: int
    left_out: tuple[tuple[int, int], ...] = ()

    @property
    def duration_s(self) -> float:
        return float(self.frames / self.rate)

    @property
    def times_s(self) -> npt.NDArray[np.float64]:
        """Source time of each delivered frame."""
        return self.start_s + self.counted / float(self.rate)

    @property
    def counted(self) -> npt.NDArray[np.int64]:
        """Which frames, counted at `rate` from `start_s` on, are delivered."""
        return np.concatenate([np.arange(first, last) for first, last in self.kept])

    @property
    def kept(self) -> list[tuple[int, int]]:
        """Spans [first, last) of the frames that are delivered, counted as in `left_out`."""
        length = self.frames + sum(last - first for first, last in self.left_out)
        edges = [0, *(edge for span in self.left_out for edge in span), length]
        spans = zip(edges[::2], edges[1::2], strict=True)
        return [(first, last) for first, last in spans if first < last]

    @property
    def plain(self) -> Json:
        """What of it decides the pictures and samples, for a step's key."""
        spans = cast("list[JsonValue]", [list(span) for span in self.left_out])
        return {
            "start_s": self.start_s, "frames": self.frames, "rate": str(self.rate),
            "left_out": spans,
        }  # fmt: skip

    def gone_s(self, time_s: float) -> float:
        """How much is left out before a time of the source."""
        at = (time_s - self.start_s) * float(self.rate)
        gone = sum(min(max(at - first, 0.0), last - first) for first, last in self.left_out)
        return gone / float(self.rate)

    def part(self, index: int, frames: int) -> "Cut":
        """`frames` frames of this cut from its frame `index` on."""
        taken = self.counted[index : index + frames]
        first = int(taken[0])
        gaps = np.flatnonzero(np.diff(taken) > 1)
        left_out = tuple((int(taken[n]) + 1 - first, int(taken[n + 1]) - first) for n in gaps)
        shift_s = float(first / self.rate)
        return Cut(self.start_s + shift_s, self.seek_s + shift_s, self.rate, len(taken), left_out)

    def still(self, index: int) -> "Cut":
        """The one frame `index` of this cut, sought from where the whole cut is."""
        return replace(self.part(index, 1), seek_s=self.seek_s)


def delivery_rate(media: MediaInfo, max_rate_hz: float | None = None) -> Fraction:
    """Constant frame rate to deliver: the source's, made standard; at most 60 per second.

    A variable rate becomes 30 or 60, so that no frame is shown more than half a period late. Under
    a lower cap it is halved until it fits, so that every frame left is one of the source's.
    """
    rate = _standard_rate(media)
    while max_rate_hz and rate > max_rate_hz + RATE_TOLERANCE:
        rate /= 2
    return rate


def _standard_rate(media: MediaInfo) -> Fraction:
    rate = Fraction(media.frame_rate or "30/1")
    if media.vfr or rate <= 0:
        return Fraction(30) if rate <= Fraction(61, 2) else Fraction(60)
    while rate > Fraction("60.5"):
        rate /= 2
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    if abs(nearest / rate - 1) <= RATE_TOLERANCE:
        # 29.97 and 30 lie within the tolerance of each other; the nearer one is meant.
        return nearest
    return rate.limit_denominator(1001)


def plan_cut(
    path: Path,
    media: MediaInfo,
    start_s: float,
    end_s: float,
    max_rate_hz: float | None = None,
    edits: Sequence[ClipEdit] = (),
) -> Cut:
    """Snap a span, less the edits that are applied, to the source's own frame times.

    Of a frame that an edit covers in part nothing is left out, and one frame at least stays.

    Raises
    ------
    Failure
        `clip_outside_source` where the span has no part of the recording.
    """
    end_s = min(end_s, media.duration_s) if media.duration_s else end_s
    if end_s - start_s < 1e-3:
        raise Failure(
            "clip_outside_source", "The clip lies outside the recording; choose another span."
        )
    rate = delivery_rate(media, max_rate_hz)
    half_s = float(1 / rate / 2)
    shown_s = _shown_at(path, start_s + half_s) if media.width else None
    if shown_s is not None and abs(shown_s - start_s) <= half_s:
        start_s = max(0.0, shown_s)
    seek_s = start_s if shown_s is None else min(start_s, shown_s - half_s / 2)
    frames = max(1, round((end_s - start_s) * rate))
    spans = [
        ((edit.start_s - start_s) * float(rate), (edit.end_s - start_s) * float(rate))
        for edit in edits
        if edit.applied
    ]
    left_out = _frames_in(spans, frames)
    frames -= sum(last - first for first, last in left_out)
    return Cut(start_s, max(0.0, seek_s), rate, frames, left_out)


def _frames_in(spans: Sequence[tuple[float, float]], frames: int) -> tuple[tuple[int, int], ...]:
    """Whole frames in any of the spans, as spans in order and apart; never all of the frames."""
    kept = np.ones(frames, np.bool_)
    for first, last in spans:
        kept[max(0, ceil(first - 1e-6)) : max(0, floor(last + 1e-6))] = False
    if not kept.any():
        kept[0] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[True], kept, [True]])))
    return tuple(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def after_edits(clip: ClipCut, cut: Cut) -> ClipCut:
    """The clip as if nothing had been between what its cut keeps: words moved, ends drawn in.

    Words whose middle is left out are gone. The crop track keeps its times, which are the source's.
    """
    if not cut.left_out:
        return clip
    words = []
    for word in clip.words:
        start_s, middle_s, end_s = (
            time_s - cut.gone_s(time_s)
            for time_s in (word.start_s, (word.start_s + word.end_s) / 2, word.end_s)
        )
        if start_s < middle_s < end_s:
            words.append(word.model_copy(update={"start_s": start_s, "end_s": end_s}))
    gone_s = cut.gone_s(clip.end_s)
    return clip.model_copy(update={"words": words, "end_s": clip.end_s - gone_s, "edits": []})


def _shown_at(path: Path, time_s: float) -> float | None:
    """Time of the source frame that is on screen at `time_s`, read from the index alone."""
    with open_media(path) as container:
        stream = video_stream(container)
        if stream is None or stream.time_base is None:
            return None
        zero_s = (container.start_time or 0) / 1_000_000
        try:
            container.seek(int((zero_s + time_s) * 1_000_000), backward=True)
            shown_s = None
            for packet in container.demux(stream):
                stamp = packet.pts if packet.pts is not None else packet.dts
                if stamp is None:
                    continue
                at_s = float(stamp * stream.time_base) - zero_s
                if at_s <= time_s:
                    shown_s = at_s if shown_s is None else max(shown_s, at_s)
                elif at_s > time_s + LOOK_AHEAD_S:
                    break
        except av.FFmpegError:
            return None
        return shown_s
