"""Timelines with which an editor finishes by hand: OpenTimelineIO, CMX 3600 EDL and FCPXML.

FCPXML 1.9 is written here: the adapter there is for OpenTimelineIO knows no rate such as
30000/1001, and times must be exact fractions of a second.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, cast
from urllib.parse import quote
from uuid import UUID
from xml.etree import ElementTree as ET

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from ray_jobs.contract import Artifact, Json, MediaInfo
from ray_jobs.media.reframe import Size
from ray_jobs.run import JobRun, Step

FILES = {
    "timeline_otio": "timeline.otio",
    "timeline_edl": "timeline.edl",
    "timeline_fcpxml": "timeline.fcpxml",
}
REEL_LETTERS = 8


class Event(NamedTuple):
    """`frames` of the timeline, taken from a file from frame `first` of the file's own rate on."""

    filename: str
    sha256: str
    media: MediaInfo
    first: int
    rate: Fraction
    frames: int


def event_of(
    filename: str, sha256: str, media: MediaInfo, start_s: float, frames: int, rate: Fraction
) -> Event:
    """An event at a time of a file; a file of variable rate is counted at the timeline's own."""
    own = Fraction(media.frame_rate) if media.frame_rate and not media.vfr else rate
    return Event(filename or sha256, sha256, media, round(start_s * own), own, frames)


def timeline_step(
    run: JobRun, title: str, rate: Fraction, size: Size, events: Sequence[Event], *,
    narration: Event | None = None, weight: float,
) -> Step:  # fmt: skip
    """What a film is made of, for an editor's program."""

    def work(directory: Path) -> Json:
        write_timelines(directory, title, rate, size, events, narration)
        if not has_timecode(rate):
            run.used(timeline_edl=f"none (no timecode at {rate} Hz)")
        return {}

    laid = [*events, *([narration] if narration else [])]
    params = {
        "title": title, "rate": str(rate), "size": list(size), "narrated": narration is not None,
        "events": [[e.filename, e.sha256, e.first, str(e.rate), e.frames] for e in laid],
    }  # fmt: skip
    return run.step(
        "timelines", work, version=2, weight=weight, params=cast("Json", params),
        inputs=[event.sha256 for event in laid],
    )  # fmt: skip


def write_timelines(
    directory: Path, title: str, rate: Fraction, size: Size, events: Sequence[Event],
    narration: Event | None = None,
) -> None:  # fmt: skip
    """Write the three files into `directory`; there is no EDL at a rate that has no timecode.

    A `narration` is a sound of its own from the first frame on, beside that of the events; an EDL
    lists pictures alone.
    """
    timeline = _timeline(title, rate, events, narration)
    (directory / FILES["timeline_otio"]).write_text(
        otio.adapters.write_to_string(timeline, "otio_json"), encoding="utf-8"
    )
    if has_timecode(rate):
        edl = otio.adapters.write_to_string(timeline, "cmx_3600", rate=float(rate))
        (directory / FILES["timeline_edl"]).write_text(edl, encoding="utf-8")
    ET.ElementTree(_fcpxml(title, rate, size, events, narration)).write(
        directory / FILES["timeline_fcpxml"], encoding="utf-8", xml_declaration=True
    )


def timelines(step: Step, stem: str, clip_id: UUID | None = None) -> list[Artifact]:
    """The files a step has written, to be delivered under `stem`."""
    return [
        Artifact(
            kind=kind, object=step.ref(name), filename=f"{stem}{Path(name).suffix}", clip_id=clip_id
        )
        for kind, name in FILES.items()
        if name in step.record.files
    ]  # fmt: skip


def has_timecode(rate: Fraction) -> bool:
    """Whether SMPTE ST 12 counts frames at this rate."""
    return bool(RationalTime.is_smpte_timecode_rate(float(rate)))


# ---- OpenTimelineIO ----------------------------------------------------------------------------


def _timeline(
    title: str, rate: Fraction, events: Sequence[Event], narration: Event | None
) -> otio.schema.Timeline:
    timeline = otio.schema.Timeline(title)
    for kind in (otio.schema.TrackKind.Video, otio.schema.TrackKind.Audio):
        track = otio.schema.Track(name=kind, kind=kind)
        track.extend(_item(event, rate, kind) for event in events)
        timeline.tracks.append(track)
    if narration:
        track = otio.schema.Track(name="Narration", kind=otio.schema.TrackKind.Audio)
        track.append(_item(narration, rate, track.kind))
        timeline.tracks.append(track)
    return timeline


def _item(event: Event, rate: Fraction, kind: str) -> otio.core.Item:
    length = RationalTime(event.frames, float(rate))
    if kind == otio.schema.TrackKind.Audio and not event.media.audio:
        return otio.schema.Gap(source_range=TimeRange(RationalTime(0, float(rate)), length))
    own = float(event.rate)
    whole = TimeRange(RationalTime(0, own), RationalTime(_length(event), own))
    return otio.schema.Clip(
        name=event.filename,
        media_reference=otio.schema.ExternalReference(quote(event.filename), whole),
        source_range=TimeRange(RationalTime(event.first, own), length),
        metadata={
            "cmx_3600": {"reel": event.sha256[:REEL_LETTERS].upper()},
            "cutroom": {"sha256": event.sha256},
        },
    )


def _length(event: Event) -> int:
    return round(event.media.duration_s * event.rate)


# ---- FCPXML ------------------------------------------------------------------------------------


def _fcpxml(
    title: str, rate: Fraction, size: Size, events: Sequence[Event], narration: Event | None
) -> ET.Element:
    root = ET.Element("fcpxml", version="1.9")
    resources = ET.SubElement(root, "resources")
    _format(resources, "r1", rate, size)
    total = sum(event.frames for event in events)
    event_element = ET.SubElement(ET.SubElement(root, "library"), "event", name="Cutroom")
    project = ET.SubElement(event_element, "project", name=title)
    sequence = ET.SubElement(
        project, "sequence", format="r1", duration=seconds(total / rate), tcFormat="NDF"
    )
    spine, at = ET.SubElement(sequence, "spine"), 0
    assets: dict[str, str] = {}

    def clip(parent: ET.Element, event: Event, offset: Fraction) -> ET.Element:
        name = assets.get(event.sha256) or _asset(resources, event, len(assets))
        assets[event.sha256] = name
        return ET.SubElement(
            parent, "asset-clip", ref=name, name=event.filename, offset=seconds(offset),
            start=seconds(event.first / event.rate), duration=seconds(event.frames / rate),
            tcFormat="NDF",
        )  # fmt: skip

    for event in events:
        laid = clip(spine, event, at / rate)
        if narration and not at:
            # What is connected to a clip is placed in that clip's own time.
            clip(laid, narration, event.first / event.rate).set("lane", "-1")
        at += event.frames
    ET.indent(root)
    return root


def _asset(resources: ET.Element, event: Event, number: int) -> str:
    media, name, form = event.media, f"a{number + 1}", f"f{number + 1}"
    _format(resources, form, event.rate, Size(media.width or 2, media.height or 2))
    asset = ET.SubElement(
        resources, "asset", id=name, name=event.filename, start="0s", format=form,
        duration=seconds(_length(event) / event.rate), hasVideo=str(int(bool(media.width))),
        hasAudio=str(int(bool(media.audio))),
    )  # fmt: skip
    ET.SubElement(asset, "media-rep", kind="original-media", src=f"./{quote(event.filename)}")
    return name


def _format(resources: ET.Element, name: str, rate: Fraction, size: Size) -> None:
    ET.SubElement(
        resources, "format", id=name, frameDuration=seconds(1 / rate), width=str(size.width),
        height=str(size.height),
    )  # fmt: skip


def seconds(time: Fraction) -> str:
    """An exact time as FCPXML writes it: `1001/30000s`."""
    over = "" if time.denominator == 1 else f"/{time.denominator}"
    return f"{time.numerator}{over}s"
