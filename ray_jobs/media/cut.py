"""Which frames of the source a clip is made of, at which constant rate."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from ray_jobs.contract import MediaInfo
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

    `seek_s` lies just before the source frame that is on screen at `start_s`.
    """

    start_s: float
    seek_s: float
    rate: Fraction
    frames: int

    @property
    def duration_s(self) -> float:
        return float(self.frames / self.rate)

    @property
    def times_s(self) -> npt.NDArray[np.float64]:
        """Source time of each delivered frame."""
        return self.start_s + np.arange(self.frames) / float(self.rate)

    def still(self, index: int) -> "Cut":
        """The one frame `index` of this cut."""
        shift_s = float(index / self.rate)
        return replace(self, start_s=self.start_s + shift_s, frames=1)


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
    path: Path, media: MediaInfo, start_s: float, end_s: float, max_rate_hz: float | None = None
) -> Cut:
    """Snap a span to the source's own frame times.

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
    return Cut(start_s, max(0.0, seek_s), rate, frames)


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
