"""Inline edits of a transcript: words that stay keep their times, new ones share the gap."""

from collections.abc import Mapping
from difflib import SequenceMatcher

from control.errors import Invalid
from control.transcripts.schemas import SegmentPatch
from ray_jobs.contract import Segment, Word


def edited(segments: list[Segment], patches: list[SegmentPatch]) -> list[Segment]:
    """The segments with the patches applied.

    Raises
    ------
    Invalid
        naming a patch whose segment does not exist.
    """
    wanted = {patch.id: patch for patch in patches}
    known = {segment.id for segment in segments}
    for number, patch in enumerate(patches):
        if patch.id not in known:
            raise Invalid.at(f"segments.{number}.id", "there is no such segment")
    return [_apply(s, wanted[s.id]) if s.id in wanted else s for s in segments]


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
