"""Inline edits of a transcript: words that stay keep their times, new ones share the gap."""

from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any

from control.errors import Unfit
from control.transcripts.schemas import SegmentPatch, Split, TranscriptPatch
from ray_jobs.contract import Segment, Word


def edited(segments: list[Segment], patch: TranscriptPatch) -> list[Segment]:
    """The segments with everything in the patch done, or `Invalid` and nothing."""
    segments = mended(segments, patch.segments)
    segments = renamed(segments, patch.speakers)
    for at in patch.splits:
        segments = split(segments, at)
    for ids in patch.merges:
        segments = merge(segments, ids)
    return segments


def mended(segments: list[Segment], patches: list[SegmentPatch]) -> list[Segment]:
    """The segments with their new texts and speakers.

    Raises
    ------
    Unfit
        naming a patch whose segment does not exist.
    """
    wanted = {patch.id: patch for patch in patches}
    known = {segment.id for segment in segments}
    for number, patch in enumerate(patches):
        if patch.id not in known:
            raise Unfit.at(f"segments.{number}.id", "there is no such segment")
    return [_apply(s, wanted[s.id]) if s.id in wanted else s for s in segments]


def renamed(segments: list[Segment], names: Mapping[str, str]) -> list[Segment]:
    """Speakers under their new names.

    Raises
    ------
    Unfit
        for a speaker who does not speak.
    """
    speaking = {segment.speaker for segment in segments}
    for name in names:
        if name not in speaking:
            raise Unfit.at("speakers", f"nobody is called {name}")
    return [
        s.model_copy(update={"speaker": names.get(s.speaker, s.speaker)}) if s.speaker else s
        for s in segments
    ]


def split(segments: list[Segment], at: Split) -> list[Segment]:
    """The segments with one cut in two; the second half gets the cutting word's id.

    Raises
    ------
    Unfit
        where there is no such segment, or the word is its first or not in it.
    """
    place = _place(segments, at.segment_id, "splits")
    whole = segments[place]
    cut = next((n for n, word in enumerate(whole.words) if word.id == at.before_word_id), 0)
    if not cut:
        raise Unfit.at("splits", f"{at.before_word_id} is no word inside {at.segment_id}")
    first, second = whole.words[:cut], whole.words[cut:]
    halves = [
        whole.model_copy(update={"words": first, "end_s": first[-1].end_s, "text": _text(first)}),
        whole.model_copy(
            update={
                "id": f"{whole.id}.{second[0].id}",
                "words": second,
                "start_s": second[0].start_s,
                "text": _text(second),
            }
        ),
    ]
    return [*segments[:place], *halves, *segments[place + 1 :]]


def merge(segments: list[Segment], ids: list[str]) -> list[Segment]:
    """The segments with neighbours joined into the first of them.

    Raises
    ------
    Unfit
        where they do not follow one another in this order.
    """
    place = _place(segments, ids[0], "merges")
    parts = segments[place : place + len(ids)]
    if [part.id for part in parts] != ids:
        raise Unfit.at("merges", "segments must follow one another, in their order")
    words = [word for part in parts for word in part.words]
    joined = parts[0].model_copy(
        update={
            "words": words,
            "end_s": max(part.end_s for part in parts),
            "text": " ".join(part.text for part in parts),
            "confidence": min(part.confidence for part in parts),
        }
    )
    return [*segments[:place], joined, *segments[place + len(ids) :]]


def diff(before: list[Segment], after: list[Segment]) -> list[dict[str, Any]]:
    """Each segment that differs, as it was and as it is, in the order of the new list."""
    old, new = {s.id: s for s in before}, {s.id: s for s in after}
    ids = [*new, *(name for name in old if name not in new)]
    return [
        {
            "segment_id": name,
            "before": old[name].model_dump(mode="json") if name in old else None,
            "after": new[name].model_dump(mode="json") if name in new else None,
        }
        for name in ids
        if old.get(name) != new.get(name)
    ]


def _place(segments: list[Segment], name: str, at: str) -> int:
    found = next((n for n, segment in enumerate(segments) if segment.id == name), None)
    if found is None:
        raise Unfit.at(at, f"there is no segment {name}")
    return found


def _text(words: list[Word]) -> str:
    return " ".join(word.text for word in words)


def _apply(segment: Segment, patch: SegmentPatch) -> Segment:
    changes: dict[str, object] = {}
    if "speaker" in patch.model_fields_set:
        changes["speaker"] = patch.speaker
    if patch.text is not None:
        changes |= {"text": patch.text, "words": reworded(segment, patch.text.split())}
    return segment.model_copy(update=changes)


def reworded(segment: Segment, texts: list[str]) -> list[Word]:
    """The words of a segment's new text; a replaced run of words is timed evenly in its place."""
    old = segment.words
    words: list[Word] = []
    matcher = SequenceMatcher(None, [word.text for word in old], texts, autojunk=False)
    for tag, first, last, new_first, new_last in matcher.get_opcodes():
        if tag == "equal":
            words += old[first:last]
            continue
        start_s = old[first].start_s if first < len(old) else segment.end_s
        if tag == "insert":
            start_s = old[first - 1].end_s if first else segment.start_s
        end_s = old[last].start_s if tag == "insert" and last < len(old) else segment.end_s
        if tag != "insert" and last > first:
            end_s = old[last - 1].end_s
        run = texts[new_first:new_last]
        share_s = max(0.0, end_s - start_s) / max(1, len(run))
        anchor = old[max(0, min(first, len(old) - 1))].id if old else segment.id
        words += [
            Word(
                id=f"{anchor}e{new_first + number}",
                text=text,
                start_s=round(start_s + number * share_s, 3),
                end_s=round(start_s + (number + 1) * share_s, 3),
                confidence=1.0,
                interpolated=True,
            )
            for number, text in enumerate(run)
        ]
    return words


def retimed(segments: list[Segment], renewed: Mapping[str, Segment]) -> list[Segment]:
    """The segments with the times of `renewed`, by id, where their words are still the same."""
    result = []
    for segment in segments:
        fresh = renewed.get(segment.id)
        same = fresh and [w.text for w in fresh.words] == [w.text for w in segment.words]
        if fresh and same:
            times = {"start_s": fresh.start_s, "end_s": fresh.end_s, "words": fresh.words}
            result.append(segment.model_copy(update=times))
        else:
            result.append(segment)
    return result
