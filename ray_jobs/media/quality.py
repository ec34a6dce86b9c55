"""QA of a finished file, in the one decode that verifies it: what is wrong, when, and where.

A fault that the recording has too is no fault of the rendering and weighs less.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, cast
from uuid import UUID

import numpy as np
from av.video.frame import VideoFrame

from ray_jobs.contract import Artifact, Box, Finding, Json, Loudness, MediaInfo, Severity
from ray_jobs.media import faults
from ray_jobs.media.audio import read_audio
from ray_jobs.media.decode import analysis_size, frames_at
from ray_jobs.media.faults import Luma, Span
from ray_jobs.media.images import Rgb, write_jpeg
from ray_jobs.media.orientation import UPRIGHT
from ray_jobs.media.shrink import shrink
from ray_jobs.media.sound import RATE_HZ, Samples
from ray_jobs.media.verify import Verified, verify
from ray_jobs.run import Step

OVERLAY_HEIGHT = 480
OVERLAYS = 12
PER_CODE = 3
"""Findings beyond these say the same thing again: a picture of each would bury the others."""
PROBES = 5
SOURCE_HEIGHT = 90
SOURCE_STILL_LEVELS = 1.0
"""The recording's own grain, which an encoder flattens, may move by this much of 255."""
SOURCE_SILENCE_DBFS = -50.0
"""The loudness loop may have taken 10 dB away from a loud recording's silence."""
SYNC_S = 4.0
RED = (255, 48, 48)


class Shown(NamedTuple):
    """A stretch of the file that shows the recording from `source_s` on, with its sound or not."""

    start_s: float
    end_s: float
    source_s: float
    heard: bool = True


@dataclass(frozen=True)
class Brief:
    """What is known of a file before it is decoded.

    `shown` leaves out what is not of the recording, such as an intro. `drawn` are the parts of the
    picture that were laid over it; `whole` says that nothing of the recording's was cropped away.
    """

    frames: int
    rate: Fraction
    sound: bool
    loudness: Loudness
    shown: Sequence[Shown]
    drawn: Sequence[Box] = ()
    whole: bool = True
    known: Sequence[Finding] = ()

    @property
    def plain(self) -> Json:
        """What of it decides the findings, for the step's key."""
        return cast("Json", {
            "frames": self.frames, "rate": str(self.rate), "sound": self.sound,
            "loudness": self.loudness.model_dump(mode="json"), "whole": self.whole,
            "shown": [list(each) for each in self.shown],
            "drawn": [list(box) for box in self.drawn],
            "known": [each.model_dump(mode="json") for each in self.known],
        })  # fmt: skip


def inspected(
    path: Path, brief: Brief, source: Path, media: MediaInfo, *,
    tick: Callable[[], None] = lambda: None,
) -> Json:  # fmt: skip
    """Verify the file and find its faults; their pictures are left beside it as `qa-….jpg`.

    The value is `Verified` with `findings`, each with the name of its `picture`, if it has one.

    Raises
    ------
    Failure
        `verify_failed`, as `verify` does.
    """
    ear = Ear()
    watch = Watch(brief, ear, tick)
    measured = verify(
        path, frames=brief.frames, rate=brief.rate, sound=brief.sound, hear=ear.hear, see=watch.see
    )
    found = [
        *brief.known,
        *heard_faults(brief, measured, ear, source, media),
        *seen_faults(brief, watch, source, media),
    ]
    found.sort(key=lambda each: (each.start_s, each.code))
    names = watch.write_overlays(found, path.parent)
    findings = [
        {**each.model_dump(mode="json"), "picture": name}
        for each, name in zip(found, names, strict=True)
    ]
    return cast("Json", {**vars(measured), "findings": findings})


def measured_in(step: Step) -> Json:
    """What `verify` measured, from the value of a step that inspected."""
    return {name: value for name, value in step.value.items() if name != "findings"}


def findings_of(step: Step, stem: str, clip_id: UUID | None = None) -> list[Finding]:
    """The findings of a step that inspected, their pictures as artifacts named after `stem`."""
    found = []
    for each in cast("list[Json]", step.value["findings"]):
        fields = {name: value for name, value in each.items() if name != "picture"}
        if name := cast("str | None", each["picture"]):
            fields["overlay"] = Artifact(
                kind="qa_overlay", object=step.ref(name), filename=f"{stem}-{name}", clip_id=clip_id
            ).model_dump(mode="json")
        found.append(Finding.model_validate(fields))
    return found


# ---- one decode --------------------------------------------------------------------------------


@dataclass
class Ear:
    """Keeps of the sound what its faults are found in: three numbers for every tenth second."""

    levels: list[faults.Levels] = field(default_factory=list)
    envelopes: list[Samples] = field(default_factory=list)
    clipped: list[Span] = field(default_factory=list)
    samples: int = 0

    def hear(self, block: Samples) -> None:
        self.levels.append(faults.levels_dbfs(block, RATE_HZ))
        self.envelopes.append(faults.envelope(block, RATE_HZ))
        self.clipped += faults.clipped_spans(block, RATE_HZ, at_s=self.samples / RATE_HZ)
        self.samples += len(block)

    @property
    def silences(self) -> list[Span]:
        return faults.silent_spans(np.concatenate(self.levels)) if self.levels else []

    @property
    def moments(self) -> list[float]:
        """Where something was heard that may need a picture."""
        return [span.start_s for span in [*self.silences, *self.clipped[:PER_CODE]]]


class Watch:
    """Looks at every frame once: is it black, is it still, is it one to keep a picture of."""

    def __init__(self, brief: Brief, ear: Ear, tick: Callable[[], None]) -> None:
        self.brief, self.ear, self.tick = brief, ear, tick
        self.dark = np.zeros(brief.frames, np.bool_)
        self.still = np.zeros(brief.frames, np.bool_)
        self.pictures: dict[int, Rgb] = {}
        self._before: Luma | None = None
        self._left: faults.Mask | None = None
        self._begun: dict[str, tuple[int, VideoFrame]] = {}
        self._wanted: set[int] | None = None

    def see(self, index: int, frame: VideoFrame) -> None:
        if index >= self.brief.frames:
            return
        if self._wanted is None:
            # The sound has been heard by now, and the picture has not.
            moments = [each.start_s for each in self.brief.known] + self.ear.moments
            self._wanted = {self.frame_at(time_s) for time_s in moments}
        luma = self._small(frame)
        left = self._left
        if left is None:
            left = self._left = faults.left_of(luma.shape, self.brief.drawn)
        self.dark[index] = faults.is_dark(luma, left)
        self.still[index] = self._before is not None and faults.is_still(luma, self._before, left)
        self._before = luma
        if index in self._wanted:
            self.pictures[index] = _picture(frame)
        self._hold("black", index, frame, self.dark[index], faults.BLACK_S)
        self._hold("freeze", index, frame, self.still[index], faults.FREEZE_S)
        if index % 32 == 0:
            self.tick()

    def frame_at(self, time_s: float) -> int:
        """The frame to show for a moment: past a cut's very edge, within the film."""
        return min(self.brief.frames - 1, max(0, int(time_s * self.brief.rate + Fraction(1, 2))))

    def _small(self, frame: VideoFrame) -> Luma:
        height, width = analysis_size(
            MediaInfo(container="mp4", duration_s=0, width=frame.width, height=frame.height)
        )
        luma = np.empty((height, width), np.uint8)
        shrink(frame, UPRIGHT, luma, np.empty((2, height // 2, width // 2), np.uint8))
        return luma

    def _hold(self, name: str, index: int, frame: VideoFrame, on: object, least_s: float) -> None:
        """Keep the first frame of a run that turns out to be long enough to be told of."""
        if not on:
            self._begun.pop(name, None)
            return
        first, shown = self._begun.setdefault(name, (index, frame))
        if first not in self.pictures and index + 1 - first >= round(least_s * self.brief.rate):
            self.pictures[first] = _picture(shown)

    def write_overlays(self, found: Sequence[Finding], directory: Path) -> list[str | None]:
        """A JPEG for the first findings of each code; None for one whose moment was not kept."""
        names: list[str | None] = []
        count: dict[str, int] = {}
        for each in found:
            picture = self.pictures.get(self.frame_at(each.start_s))
            number = count[each.code] = count.get(each.code, 0) + 1
            if picture is None or number > PER_CODE or len(names) - names.count(None) >= OVERLAYS:
                names.append(None)
                continue
            name = f"qa-{each.code.replace('_', '-')}-{number}.jpg"
            write_jpeg(boxed(picture, each.box or (0.0, 0.0, 1.0, 1.0)), directory / name)
            names.append(name)
        return names


def _picture(frame: VideoFrame) -> Rgb:
    height = min(OVERLAY_HEIGHT, frame.height // 2 * 2)
    width = max(2, round(frame.width * height / frame.height / 2) * 2)
    small = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    return np.asarray(small, np.uint8)


def boxed(picture: Rgb, box: Box) -> Rgb:
    """A copy of the picture [h, w, 3] with the box's edge drawn in red."""
    drawn = picture.copy()
    height, width = picture.shape[:2]
    thick = max(2, height // 160)
    left, top = int(box[0] * width), int(box[1] * height)
    right = min(width, max(left + 2 * thick, round((box[0] + box[2]) * width)))
    bottom = min(height, max(top + 2 * thick, round((box[1] + box[3]) * height)))
    inner = drawn[top + thick : bottom - thick, left + thick : right - thick].copy()
    drawn[top:bottom, left:right] = RED
    drawn[top + thick : bottom - thick, left + thick : right - thick] = inner
    return drawn


# ---- judgement ---------------------------------------------------------------------------------


def seen_faults(brief: Brief, watch: Watch, source: Path, media: MediaInfo) -> list[Finding]:
    """Black and frozen stretches; the recording is asked whether they are its own.

    A recording without a picture is shown as the wave of its sound, which is dark and still in
    every pause: nothing of that is a fault.
    """
    if media.width is None:
        return []
    found = []
    rate_hz = float(brief.rate)
    black = faults.spans(watch.dark, rate_hz, faults.BLACK_S)
    for span in black:
        own = _probed(brief, span, source, media)
        if own is None:
            found.append(_finding("info", "black", "The brand's own film is black here.", span))
        elif own and all(faults.is_dark(p, np.ones(p.shape, np.bool_)) for p in own):
            message = "The recording itself is black here: move the clip's start or end past it."
            found.append(_finding("warning", "black", message, span))
        else:
            message = "The picture is black here but the recording is not: check the framing."
            found.append(_finding("error", "black", message, span))
    for span in faults.spans(watch.still, rate_hz, faults.FREEZE_S):
        if any(each.start_s <= span.start_s + 1 and span.end_s <= each.end_s for each in black):
            continue
        own = _probed(brief, span, source, media)
        found.append(_frozen(brief, span, own))
    return found


def _frozen(brief: Brief, span: Span, own: list[Luma] | None) -> Finding:
    if own is None:
        return _finding("info", "freeze", "The brand's own film stands still here.", span)
    if all(
        faults.is_still(b, a, np.ones(a.shape, np.bool_), levels=SOURCE_STILL_LEVELS)
        for a, b in pairwise(own)
    ):
        message = "The recording itself stands still here, as a slide does: cut it if not meant."
        return _finding("info", "freeze", message, span)
    if not brief.whole:
        message = "Nothing moves in this part of the picture: move the crop to where it does."
        return _finding("warning", "freeze", message, span)
    message = "The picture stands still here but the recording does not: render it anew."
    return _finding("error", "freeze", message, span)


def _probed(brief: Brief, span: Span, source: Path, media: MediaInfo) -> list[Luma] | None:
    """What the recording shows in the span, as small pictures; None where it is not on."""
    share = (np.arange(PROBES) + 0.5) / PROBES
    moments = [span.start_s + float(each) * (span.end_s - span.start_s) for each in share]
    times_s = [time_s for each in moments if (time_s := _source_s(brief, each)) is not None]
    if len(times_s) < PROBES:
        return None
    colours = frames_at(source, media, times_s, height=min(SOURCE_HEIGHT, media.height or 2))
    weights = np.array([0.2126, 0.7152, 0.0722], np.float32)
    return [np.asarray(np.rint(picture @ weights), np.uint8) for picture in colours]


def _source_s(brief: Brief, time_s: float) -> float | None:
    for each in brief.shown:
        if each.start_s <= time_s < each.end_s:
            return each.source_s + time_s - each.start_s
    return None


def heard_faults(
    brief: Brief, measured: Verified, ear: Ear, source: Path, media: MediaInfo
) -> list[Finding]:
    """Loudness, true peak, clipping, silence, and sound that is not in time."""
    if not brief.sound:
        return []
    whole = Span(0.0, measured.duration_s)
    lufs, peak, wanted = measured.loudness_lufs, measured.true_peak_dbtp, brief.loudness
    if lufs is None or peak is None:
        message = "It is silent or too short to have a loudness: check the recording's sound."
        return [_finding("warning", "silent", message, whole)]
    found = []
    if abs(lufs - wanted.target_lufs) > wanted.tolerance_lu:
        message = (
            f"Its loudness is {lufs:.1f} LUFS, not {wanted.target_lufs:.1f}: the true-peak ceiling "
            "or too little sound stood in the way; choose another target."
        )
        found.append(_finding("warning", "loudness_off_target", message, whole))
    if peak > wanted.max_true_peak_dbtp:
        message = f"Its true peak is {peak:.1f} dBTP, above {wanted.max_true_peak_dbtp:.1f}."
        found.append(_finding("error", "true_peak_over", message, whole))
    found += [
        _finding("error", "clipping", "The sound is cut off at full scale: lower its target.", span)
        for span in faults.joined(ear.clipped, faults.CLIPS_APART_S)
    ]
    found += [_silence(brief, span, source, media) for span in ear.silences]
    if late := _late(brief, ear, source, media):
        found.append(late)
    return found


def _silence(brief: Brief, span: Span, source: Path, media: MediaInfo) -> Finding:
    start_s = _source_s(brief, span.start_s)
    if start_s is None:
        return _finding("info", "silence", "The brand's own film is silent here.", span)
    if not media.audio or _is_quiet(source, start_s, span.end_s - span.start_s):
        message = "The recording itself is silent here: cut it if no pause is meant."
        return _finding("info", "silence", message, span)
    message = "Nothing is heard here though the recording has sound: render it anew."
    return _finding("error", "silence", message, span)


def _is_quiet(source: Path, start_s: float, length_s: float) -> bool:
    sound = read_audio(
        source, rate_hz=RATE_HZ, channels=2, start_s=start_s, end_s=start_s + length_s
    )
    levels = faults.levels_dbfs(sound, RATE_HZ)
    return not levels.size or bool(np.quantile(levels, 0.9) < SOURCE_SILENCE_DBFS)


def _late(brief: Brief, ear: Ear, source: Path, media: MediaInfo) -> Finding | None:
    """How much later than in the recording its sound comes, at the first and the last of it."""
    heard = [each for each in brief.shown if each.heard]
    if not heard or not media.audio:
        return None
    line = np.concatenate(ear.envelopes)
    first, last = heard[0], heard[-1]
    starts = [(first, first.start_s), (last, max(last.start_s, last.end_s - SYNC_S))]
    for shown, start_s in starts:
        length_s = min(SYNC_S, shown.end_s - start_s)
        at_s = shown.source_s + start_s - shown.start_s
        sound = read_audio(source, rate_hz=RATE_HZ, channels=2, start_s=at_s, end_s=at_s + length_s)
        begin = round(start_s * faults.ENVELOPE_HZ)
        played = line[begin : begin + round(length_s * faults.ENVELOPE_HZ)]
        lag_s = faults.lag_s(played, faults.envelope(sound, RATE_HZ))
        if lag_s is not None and abs(lag_s) > faults.DRIFT_S:
            side = "late" if lag_s > 0 else "early"
            message = f"The sound comes {abs(lag_s) * 1000:.0f} ms too {side}: render it anew."
            return _finding("error", "av_drift", message, Span(start_s, start_s + length_s))
    return None


def _finding(severity: Severity, code: str, message: str, span: Span) -> Finding:
    return Finding(
        severity=severity, code=code, message=message,
        start_s=round(max(0.0, span.start_s), 3), end_s=round(span.end_s, 3),
    )  # fmt: skip
