"""What the words themselves say about a span: hooks, finished thoughts, topics, titles."""

import re
from collections.abc import Sequence

import numpy as np

from ray_jobs.clips.candidates import SENTENCE_END, Unit

QUESTION = re.compile(r"\?|^(why|how|what|who|when|where|did|do|is|are|can|would|have)\b", re.I)
ADDRESS = re.compile(r"\b(you|your|yours|yourself|imagine|listen|look|remember|think)\b", re.I)
NUMBER = re.compile(r"\d|\b(hundred|thousand|million|billion|percent|first|never|always)\b", re.I)
CONTRAST = re.compile(
    r"\b(but|however|instead|yet|although|despite|actually|not|nobody|nothing|wrong|truth)\b",
    re.I,
)
SURPRISE = re.compile(
    r"\b(secret|surpris\w*|amazing|incredible|shock\w*|strange|mistake|danger\w*|best|worst|most|"
    r"only|discover\w*|change[sd]?|problem|reason|story|dream|fear|love|war|death|free\w*)\b",
    re.I,
)
DANGLING = re.compile(
    r"^(and|but|or|so|because|which|that|then|also|he|she|it|they|this|these|those|his|her|their)\b",
    re.I,
)
HOOKS = (
    ("a question", QUESTION, 0.3),
    ("speaks to the listener", ADDRESS, 0.25),
    ("a number", NUMBER, 0.15),
    ("a contrast", CONTRAST, 0.15),
    ("a strong word", SURPRISE, 0.25),
)
TITLE_CHARS = 70
WORDLESS = 0.5
TURN_S = 2.0
"""Who speaks again after a longer silence begins anew."""


def hook(text: str) -> tuple[float, list[str]]:
    """How much an opening sentence pulls, 0..1, and by what."""
    found = [(name, weight) for name, pattern, weight in HOOKS if pattern.search(text)]
    short = 0.1 if 3 <= len(text.split()) <= 14 else 0.0
    return min(1.0, sum(weight for _, weight in found) + short), [name for name, _ in found]


def completeness(
    units: Sequence[Unit], first: int, last: int, *, conversation: bool = False
) -> tuple[float, str]:
    """Whether the span from unit `first` to `last` begins and ends a thought, 0..1, and what is
    amiss. In a conversation a turn is not to be broken, nor a question parted from its answer.
    """
    if not any(unit.words for unit in units[first : last + 1]):
        return WORDLESS, "nobody speaks"
    value, notes, opening, closing = 1.0, [], units[first], units[last]
    before = units[first - 1] if first else None
    after = units[last + 1] if last + 1 < len(units) else None
    if DANGLING.match(opening.text):
        value -= 0.4
        notes.append("begins in the middle of a thought")
    elif conversation and _one_turn(before, opening):
        value -= 0.15
        notes.append("begins in the middle of a turn")
    if closing.words and not SENTENCE_END.search(closing.text):
        value -= 0.3
        notes.append("ends without a full stop")
    elif conversation and _one_turn(closing, after):
        value -= 0.15
        notes.append("ends in the middle of a turn")
    elif conversation and after and closing.text.endswith("?") and after.words:
        value -= 0.3
        notes.append("ends before the answer")
    if first == last and 0 < len(opening.words) < 5:
        value -= 0.2
        notes.append("a single short phrase")
    return max(0.0, value), "; ".join(notes) or "begins and ends a thought"


def _one_turn(before: Unit | None, after: Unit | None) -> bool:
    """Whether one and the same person goes on speaking."""
    if before is None or after is None or before.speaker is None:
        return False
    return before.speaker == after.speaker and after.start_s - before.end_s < TURN_S


def topic_shifts(vectors: np.ndarray) -> np.ndarray:
    """How much the topic changes before each sentence, [n] in 0..1; 1 at the start.

    Depth of the valley of likeness between the three sentences on either side (TextTiling; Hearst,
    1997), on sentence embeddings.
    """
    n = len(vectors)
    likeness = np.ones(n + 1)
    for i in range(1, n):
        before, after = vectors[max(0, i - 3) : i].mean(0), vectors[i : i + 3].mean(0)
        scale = np.linalg.norm(before) * np.linalg.norm(after)
        likeness[i] = float(before @ after / scale) if scale > 0 else 1.0
    depth = np.zeros(n)
    for i in range(1, n):
        if likeness[i] > min(likeness[i - 1], likeness[i + 1]):
            continue  # on the slope of a valley, not in it
        left = likeness[max(1, i - 4) : i].max(initial=likeness[i])
        right = likeness[i + 1 : min(n, i + 5)].max(initial=likeness[i])
        depth[i] = max(0.0, left - likeness[i]) + max(0.0, right - likeness[i])
    if n:
        depth[0] = 1.0
    return np.clip(depth / 0.6, 0, 1)


def title(units: Sequence[Unit], worth: Sequence[float]) -> str:
    """The strongest sentence of a span, cut at a word to TITLE_CHARS."""
    said = enumerate(zip(units, worth, strict=True))
    spoken = [(w, -i, " ".join(unit.text.split())) for i, (unit, w) in said if unit.words]
    text = max(spoken, default=(0.0, 0, ""))[2]
    text = text[:1].upper() + text[1:]
    if len(text) > TITLE_CHARS:
        text = text[: TITLE_CHARS - 1].rsplit(" ", 1)[0].rstrip(",;:-– ") + "…"
    return text.rstrip(".")
