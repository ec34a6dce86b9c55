"""A clip as workers render it: its span, its words, its framing, its subtitles."""

from bisect import bisect_left
from typing import Any

from control.access import Member
from control.clips.models import Clip
from control.errors import Unfit
from control.settings import Settings
from control.transcripts.models import Transcript
from control.videos.models import Video
from ray_jobs.contract import (
    SUBTITLE_PRESETS,
    ClipCut,
    ClipEdit,
    CropPoint,
    Segment,
    SubtitleStyle,
    Word,
)


def style_of(preset: str | None, changes: dict[str, Any], settings: Settings) -> SubtitleStyle:
    """A preset, the deployment's where none is named, with what shall be different from it."""
    whole = SUBTITLE_PRESETS[preset or settings.subtitle_preset].model_dump()
    return SubtitleStyle.model_validate(whole | changes)


async def transcript_of(member: Member, video: Video) -> Transcript | None:
    """The transcript that was asked for last."""
    return await Transcript.of(member).filter(video_id=video.id).order_by("-made_at", "id").first()


async def segments_of(member: Member, video: Video) -> list[Segment]:
    """Its segments, in order."""
    transcript = await transcript_of(member, video)
    return [Segment.model_validate(one) for one in transcript.segments] if transcript else []


async def words_of(member: Member, video: Video, settings: Settings) -> tuple[list[Word], float]:
    """Its words, in order, and how surely one must have been heard to be shown: a rough engine
    says itself which of its words are made up.
    """
    transcript = await transcript_of(member, video)
    segments = transcript.segments if transcript else []
    words = [word for one in segments for word in Segment.model_validate(one).words]
    rough = bool(transcript and transcript.rough)
    return words, settings.subtitle_min_confidence if rough else 0.0


def trimmed(
    clip: Clip, changes: dict[str, Any], video: Video, segments: list[Segment], *, snap: bool
) -> dict[str, Any]:
    """What follows from new ends of a clip: ends at words where `snap`, and what is then said.

    Raises
    ------
    Unfit
        for ends that lie outside the video or in the wrong order.
    """
    ends = {name: changes.get(name, getattr(clip, name)) for name in ("start_s", "end_s")}
    words = [word for segment in segments for word in segment.words]
    if not ends["start_s"] < ends["end_s"] <= (video.duration_s or ends["end_s"]) + 0.1:
        raise Unfit.at("end_s", "the clip must end after its start and within the video")
    for name in ends.keys() & changes.keys():
        if snap:
            ends[name] = snapped(ends[name], words, start=name == "start_s")
    start_s, end_s = ends["start_s"], ends["end_s"]
    if start_s >= end_s:
        raise Unfit.at("end_s", "no word lies between these ends: send snap none to keep them")
    inside = [word for word in words if start_s <= word.start_s and word.end_s <= end_s]
    if not inside:
        return ends
    held = [s.id for s in segments if s.start_s < end_s and s.end_s > start_s]
    return {**ends, "text": " ".join(word.text for word in inside), "segment_ids": held}


def cut_of(
    clip: Clip, words: list[Word], min_confidence: float, style: SubtitleStyle | None
) -> ClipCut:
    """Its words include those that its ends go through: QA names them."""
    inside = [word for word in words if word.end_s > clip.start_s and word.start_s < clip.end_s]
    return ClipCut(
        clip_id=clip.id,
        rank=clip.rank,
        title=clip.title,
        start_s=clip.start_s,
        end_s=clip.end_s,
        words=inside,
        min_confidence=min_confidence,
        crop_track=[CropPoint.model_validate(point) for point in clip.crop_track],
        edits=[ClipEdit.model_validate(edit) for edit in clip.edits],
        style=style,
    )


def playing_s(edits: list[ClipEdit], start_s: float, end_s: float) -> float:
    """How long a clip lasts without the edits that are applied; they may overlap each other."""
    left_s, at_s = 0.0, start_s
    for edit in sorted(edits, key=lambda edit: edit.start_s):
        if edit.applied:
            left_s += max(0.0, min(edit.start_s, end_s) - at_s)
            at_s = max(at_s, edit.end_s)
    return left_s + max(0.0, end_s - at_s)


def snapped(time_s: float, words: list[Word], *, start: bool) -> float:
    """The nearest start (or end) of a word, where there are words."""
    edges = sorted(word.start_s if start else word.end_s for word in words)
    if not edges:
        return time_s
    after = bisect_left(edges, time_s)
    return min(edges[max(0, after - 1) : after + 1], key=lambda edge: abs(edge - time_s))
