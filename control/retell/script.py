"""Mending a script: texts, modes, order; never a sentence without a source."""

from collections.abc import Collection, Sequence

from control.errors import Unfit
from control.retell.schemas import RetellPatch, SentencePatch
from ray_jobs.contract import ScriptSentence


def mended(
    script: Sequence[ScriptSentence], patch: RetellPatch, segment_ids: Collection[str]
) -> list[ScriptSentence]:
    """The script with the patch applied: sentences changed, then removed, then put in order.

    Raises
    ------
    Unfit
        pointing at a sentence or a segment that does not exist, or at an order that is none.
    """
    sentences = {sentence.id: sentence for sentence in script}
    for number, change in enumerate(patch.sentences):
        sentences[change.id] = _changed(sentences, change, f"sentences.{number}", segment_ids)
    for number, name in enumerate(patch.remove):
        if sentences.pop(name, None) is None:
            raise Unfit.at(f"remove.{number}", "there is no such sentence")
    if not sentences:
        raise Unfit.at("remove", "a retelling needs at least one sentence")
    if patch.order is None:
        return list(sentences.values())
    if sorted(patch.order) != sorted(sentences):
        raise Unfit.at("order", "must name every sentence that stays, each once")
    return [sentences[name] for name in patch.order]


def _changed(
    sentences: dict[str, ScriptSentence],
    change: SentencePatch,
    at: str,
    segment_ids: Collection[str],
) -> ScriptSentence:
    if change.id not in sentences:
        raise Unfit.at(f"{at}.id", "there is no such sentence")
    for name in change.segment_ids or ():
        if name not in segment_ids:
            raise Unfit.at(f"{at}.segment_ids", f"the transcript has no segment {name}")
    fields = change.model_dump(exclude_unset=True, exclude_none=True, exclude={"id"})
    return sentences[change.id].model_copy(update=fields)
