"""Words of a clip as subtitle cues: phrases that can be read, lines that fit, times that never
overlap.

Cue times are centiseconds from the clip's start, the resolution of ASS: a cue ends where the next
one starts, or at least half a second before it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from unicodedata import category, east_asian_width

from ray_jobs.contract import OPEN, Box, Finding, SafeArea, SubtitleStyle, Word
from ray_jobs.failures import Failure
from ray_jobs.media.faults import clipped_box, overhang
from ray_jobs.media.fonts import DEFAULT_FAMILY, Face, find_face, missing_glyphs

HARD_PAUSE_CS = 80
SOFT_PAUSE_CS = 25
CHAIN_CS = 50
LINGER_CS = 30
WANTED_CS = 100
MIN_CS = 50
MAX_CS = 600
MIN_WORD_CS = 2
MAX_CHARS_PER_S = 20.0
SIDE_MARGIN = 0.06
MAX_TOKENS = 40

# Scripts written without spaces: Thai and Lao, Myanmar, Khmer, kana, Han, halfwidth kana.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff"
    "\uf900-\ufaff\uff00-\uff9f\U00020000-\U0003ffff]"
)
_SENTENCE_END = re.compile(r"[.!?…。！？؟۔।]['\"”’»)\]]*$")
_CLAUSE_END = re.compile(r"[,;:–—、，；：،]['\"”’»)\]]*$")


@dataclass(frozen=True)
class Token:
    """An unbreakable piece of text and when it is spoken."""

    text: str
    start_cs: int
    end_cs: int
    spaced: bool = True
    """Whether a space stands before it, when it does not begin a line."""


@dataclass(frozen=True)
class Cue:
    """What is on screen from `start_cs` until before `end_cs`."""

    start_cs: int
    end_cs: int
    lines: tuple[tuple[Token, ...], ...]

    @property
    def tokens(self) -> list[Token]:
        return [token for line in self.lines for token in line]

    @property
    def text(self) -> str:
        return "\n".join(line_text(line) for line in self.lines)


@dataclass(frozen=True)
class Room:
    """How much fits in a line: columns (a wide character takes two) and em of the face."""

    columns: int
    em: float
    lines: int
    face: Face

    def fits(self, text: str) -> bool:
        return columns(text) <= self.columns and self.face.width_em(text) <= self.em


def room_for(style: SubtitleStyle, face: Face, *, width: int, height: int) -> Room:
    """What a line may hold at this picture size, inside the side margins."""
    em_px = style.size * height / face.line_em
    usable_px = width * (1 - 2 * SIDE_MARGIN) - 2 * style.outline * height
    return Room(style.max_chars_per_line, max(1.0, usable_px / em_px), style.max_lines, face)


def face_for(style: SubtitleStyle, brand: Path | None = None) -> Face:
    """The style's face, or the bundled one where its family is not there."""
    face = find_face(style.font, bold=style.bold, brand=brand)
    face = face or find_face(DEFAULT_FAMILY, bold=style.bold)
    if face is None:
        raise Failure("font_missing", "No font could be loaded; install font-roboto.")
    return face


def make_cues(
    words: Sequence[Word], *, start_s: float, end_s: float, style: SubtitleStyle, room: Room
) -> list[Cue]:
    """Cues of the words that are spoken in the span, in time relative to its start.

    Phrases end at pauses, sentence ends and commas where they can; among all ways to do so that
    fit `room`, the one of least total cost is taken.
    """
    tokens = tokens_of(words, start_s=start_s, end_s=end_s, uppercase=style.uppercase, room=room)
    cues = []
    for run in _runs(tokens):
        bounds = _phrases(run, room)
        cues += [broken_into_lines(run[first:last], room) for first, last in pairwise(bounds)]
    total_cs = max(1, round((end_s - start_s) * 100))
    starts = [lines[0][0].start_cs for lines in cues] + [total_cs + LINGER_CS]
    return [
        Cue(start, _end_of(lines, start, following, total_cs), lines)
        for lines, start, following in zip(cues, starts[:-1], starts[1:], strict=True)
    ]


def _end_of(
    lines: tuple[tuple[Token, ...], ...], start_cs: int, next_cs: int, total_cs: int
) -> int:
    spoken = lines[-1][-1].end_cs
    wanted = max(spoken + LINGER_CS, start_cs + WANTED_CS)
    end = next_cs if next_cs - wanted < CHAIN_CS else wanted
    return min(end, total_cs)


def words_inside(words: Sequence[Word], *, start_s: float, end_s: float) -> list[Word]:
    """The words whose middle lies in the span."""
    return [word for word in words if start_s <= (word.start_s + word.end_s) / 2 <= end_s]


# ---- tokens ------------------------------------------------------------------------------------


def tokens_of(
    words: Sequence[Word], *, start_s: float, end_s: float, uppercase: bool, room: Room
) -> list[Token]:
    """Clean pieces in strictly growing time within the span; what has no time left is dropped."""
    total_cs = max(1, round((end_s - start_s) * 100))
    inside = words_inside(words, start_s=start_s, end_s=end_s)
    tokens: list[Token] = []
    for word in sorted(inside, key=lambda word: (word.start_s, word.end_s)):
        text = clean(word.text)
        begin = round((word.start_s - start_s) * 100)
        finish = min(total_cs, round((word.end_s - start_s) * 100))
        earliest = tokens[-1].start_cs + MIN_WORD_CS if tokens else 0
        for token in _pieces(text.upper() if uppercase else text, begin, finish, room):
            at = max(token.start_cs, earliest)
            if at + MIN_WORD_CS > total_cs:
                return tokens
            end = min(total_cs, max(token.end_cs, at + MIN_WORD_CS))
            spaced = token.spaced and not (tokens and _closed_up(tokens[-1].text, token.text))
            tokens.append(Token(token.text, at, end, spaced))
            earliest = at + MIN_WORD_CS
    if not tokens:
        return []
    follows = [token.start_cs for token in tokens[1:]] + [total_cs]
    return [
        Token(token.text, token.start_cs, min(token.end_cs, follow), token.spaced)
        for token, follow in zip(tokens, follows, strict=True)
    ]


def clean(text: str) -> str:
    """Text without line breaks, control characters and bidi overrides; runs of space become one."""
    kept = "".join(
        " " if category(character) in {"Cc", "Zl", "Zp", "Cs"} else character
        for character in text
        if not "\u202a" <= character <= "\u202e" and not "\u2066" <= character <= "\u2069"
    )
    return " ".join(kept.split())


def _pieces(text: str, start_cs: int, end_cs: int, room: Room) -> Iterator[Token]:
    """Parts of a word between which a line may break, its time shared out by length."""
    parts: list[tuple[str, bool]] = []
    for chunk in text.split(" "):
        inner = [part for unit in _units(chunk) for part in _split_to_fit(unit, room)]
        parts += [(part, index == 0) for index, part in enumerate(inner)]
    total = sum(len(part) for part, _ in parts)
    if not total:
        return
    before = 0
    for part, spaced in parts:
        begin = start_cs + (end_cs - start_cs) * before // total
        before += len(part)
        yield Token(part, begin, start_cs + (end_cs - start_cs) * before // total, spaced)


def _units(chunk: str) -> list[str]:
    """Characters of unspaced scripts one by one, with their marks and closing punctuation."""
    units: list[str] = []
    for character in chunk:
        joins = (
            not units
            or category(character) in {"Mn", "Mc", "Me", "Cf", "Pe", "Pf", "Po", "Lm", "Sk"}
            or category(units[-1][-1]) in {"Ps", "Pi", "Cf"}
            or not (_UNSPACED.match(character) or _UNSPACED.match(units[-1][-1]))
            or _leaning(units[-1][-1], character)
        )
        if joins and units:
            units[-1] += character
        else:
            units.append(character)
    return units


def _leaning(before: str, character: str) -> bool:
    """Thai and its neighbours break between words, which takes a dictionary: keep them whole."""
    return all("\u0e00" <= each <= "\u17ff" for each in (before, character))


def _split_to_fit(text: str, room: Room) -> Iterator[str]:
    part = ""
    for character in text:
        mark = category(character) in {"Mn", "Mc", "Me", "Cf"}
        joined = mark or part.endswith("\u200d")
        if part and not joined and not room.fits(part + character):
            yield part
            part = ""
        part += character
    if part:
        yield part


def _closed_up(before: str, after: str) -> bool:
    return bool(_UNSPACED.match(before[-1]) and _UNSPACED.match(after[0]))


def columns(text: str) -> int:
    """Columns of text: wide characters take two, marks and joiners none."""
    return sum(
        0
        if category(character) in {"Mn", "Me", "Cf"}
        else 2
        if east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def line_text(tokens: Sequence[Token]) -> str:
    """The tokens as they stand in one line."""
    return "".join(
        (" " if index and token.spaced else "") + token.text for index, token in enumerate(tokens)
    )


# ---- phrases and lines -------------------------------------------------------------------------


def _runs(tokens: list[Token]) -> Iterator[list[Token]]:
    """Tokens between pauses that no cue may span."""
    run: list[Token] = []
    for token in tokens:
        if run and token.start_cs - run[-1].end_cs >= HARD_PAUSE_CS:
            yield run
            run = []
        run.append(token)
    if run:
        yield run


def _phrases(run: list[Token], room: Room) -> list[int]:
    """Bounds of the cheapest split of a run into cues (dynamic programming over its tokens)."""
    best = [0.0] + [float("inf")] * len(run)
    origin = [0] * (len(run) + 1)
    for first in range(len(run)):
        inside = 0.0
        for last in range(first + 1, min(len(run), first + MAX_TOKENS) + 1):
            tokens = run[first:last]
            long = tokens[-1].end_cs - tokens[0].start_cs > MAX_CS
            if last > first + 1 and (long or _greedy_lines(tokens, room) > room.lines):
                break
            cost = best[first] + inside + _cost(run, first, last, room)
            if cost < best[last]:
                best[last], origin[last] = cost, first
            inside += 0.9 if _SENTENCE_END.search(tokens[-1].text) else 0.0
    bounds = [len(run)]
    while bounds[-1]:
        bounds.append(origin[bounds[-1]])
    return bounds[::-1]


def _cost(run: list[Token], first: int, last: int, room: Room) -> float:
    """What a cue of `run[first:last]` costs: where it ends, how short and how empty it is."""
    text = run[last - 1].text
    if last == len(run) or _SENTENCE_END.search(text):
        ending = 0.0
    elif _CLAUSE_END.search(text):
        ending = 0.3
    else:
        paused = run[last].start_cs - run[last - 1].end_cs >= SOFT_PAUSE_CS
        # A short word at the end is most often an article or preposition of what follows.
        ending = (0.3 if paused else 0.8) + (0.4 if len(text) <= 3 and run[last].spaced else 0.0)
    until = run[last].start_cs if last < len(run) else run[-1].end_cs + LINGER_CS
    short = max(0, WANTED_CS - (until - run[first].start_cs)) / WANTED_CS
    empty = 1 - min(1.0, columns(line_text(run[first:last])) / (room.columns * room.lines))
    return 0.4 + ending + 1.5 * short + 0.5 * empty * empty


def _greedy_lines(tokens: Sequence[Token], room: Room) -> int:
    lines, line = 1, ""
    for token in tokens:
        longer = f"{line}{' ' if line and token.spaced else ''}{token.text}"
        if line and not room.fits(longer):
            lines, line = lines + 1, token.text
        else:
            line = longer
    return lines


def broken_into_lines(tokens: Sequence[Token], room: Room) -> tuple[tuple[Token, ...], ...]:
    """The tokens in as few lines as hold them, as even as can be."""
    count = _greedy_lines(tokens, room)
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    for _ in range(count):
        reached: dict[int, tuple[float, int]] = {}
        for first, (cost, _origin) in best[-1].items():
            for last in range(first + 1, len(tokens) + 1):
                text = line_text(tokens[first:last])
                if last > first + 1 and not room.fits(text):
                    break
                closed = last == len(tokens) or bool(_CLAUSE_END.search(text))
                total = cost + room.face.width_em(text) ** 2 - (2.0 if closed else 0.0)
                if last not in reached or total < reached[last][0]:
                    reached[last] = (total, first)
        best.append(reached)
    bounds = [len(tokens)]
    for reached in reversed(best[1:]):
        bounds.append(reached[bounds[-1]][1])
    return tuple(tuple(tokens[a:b]) for a, b in pairwise(bounds[::-1]))


# ---- quality -----------------------------------------------------------------------------------


def findings_of(
    cues: Sequence[Cue],
    words: Sequence[Word],
    *,
    style: SubtitleStyle,
    room: Room,
    size: tuple[int, int],
    safe_area: SafeArea,
    unsure: int = 0,
) -> list[Finding]:
    """What a careful reader would object to, in time relative to the clip's start.

    `words` are those of the clip's span alone, without the `unsure` that are not to be shown;
    `size` is the picture's width and height.

    The reading speed is the adult limit of 20 characters per second (Netflix Timed Text Style
    Guide).
    """
    found: list[Finding] = []
    if room.face.family.casefold() != style.font.casefold():
        message = f"The font {style.font} is not installed; {room.face.family} stands in."
        found.append(_finding("warning", "font_substituted", message, cues))
    if absent := missing_glyphs("".join(cue.text for cue in cues), room.face):
        message = f"No installed font can draw {' '.join(absent[:20])}."
        found.append(_finding("error", "missing_glyphs", message, cues))
    if unsure:
        message = f"{unsure} words were heard too unsurely to be shown: correct the transcript."
        found.append(_finding("info", "words_unsure", message, cues))
    shown = sum(len("".join(cue.text.split())) for cue in cues)
    if not cues and words:
        message = "No word of the transcript falls into this clip."
        found.append(_finding("info", "no_words", message, cues))
    elif shown < sum(len("".join(clean(word.text).split())) for word in words):
        message = "Some words have no time of their own and are not shown."
        found.append(_finding("warning", "words_dropped", message, cues))
    for cue in cues:
        found += _cue_findings(cue, room)
    found += _misplaced([(cue, edges_of(cue, style, room.face, size)) for cue in cues], safe_area)
    for cue, following in pairwise(cues):
        if following.start_cs < cue.end_cs:
            found.append(_finding("error", "overlap", "Two cues overlap.", [cue, following]))
    return found


def _cue_findings(cue: Cue, room: Room) -> Iterator[Finding]:
    seconds = (cue.end_cs - cue.start_cs) / 100
    speed = columns(cue.text.replace("\n", "")) / max(seconds, 0.01)
    if speed > MAX_CHARS_PER_S:
        message = f"{speed:.0f} characters per second are hard to read; 20 are comfortable."
        yield _finding("warning", "reading_speed", message, [cue])
    if cue.end_cs - cue.start_cs < MIN_CS:
        yield _finding("warning", "cue_too_short", f"On screen for {seconds:.2f} s only.", [cue])
    for line in cue.text.split("\n"):
        if not room.fits(line):
            yield _finding("warning", "line_too_long", f"{columns(line)} columns.", [cue])
    if len(cue.lines) > room.lines:
        yield _finding("warning", "too_many_lines", f"{len(cue.lines)} lines.", [cue])


def _misplaced(
    placed: Sequence[tuple[Cue, tuple[float, float, float, float]]], safe_area: SafeArea
) -> Iterator[Finding]:
    """One finding for all cues that leave the picture, one for those that leave the safe area."""
    beyond = [each for each in placed if overhang(each[1], OPEN) > 0]
    covered = [each for each in placed if overhang(each[1], safe_area) > 0 and each not in beyond]
    if beyond:
        message = f"{len(beyond)} cues leave the picture: make them smaller or their lines fewer."
        yield _misplacement("error", "subtitle_overflow", message, beyond, OPEN)
    if covered:
        message = f"{len(covered)} cues lie where the platform's buttons are: widen the margin."
        yield _misplacement("warning", "subtitle_outside_safe_area", message, covered, safe_area)


def _misplacement(
    severity: str, code: str, message: str,
    placed: Sequence[tuple[Cue, tuple[float, float, float, float]]], area: SafeArea,
) -> Finding:  # fmt: skip
    cue, edges = max(placed, key=lambda each: overhang(each[1], area))
    return _finding(severity, code, message, [cue]).model_copy(update={"box": clipped_box(*edges)})


def edges_of(
    cue: Cue, style: SubtitleStyle, face: Face, size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a cue as libass sets it, as shares of the picture.

    Overflow shows as values below 0 or above 1. A line is as high as the style's size.
    """
    width, height = size
    em_px = style.size * height / face.line_em
    reach_px = style.outline * height + (style.size * height * 0.3 if style.box_color else 0.0)
    wide_px = max(face.width_em(line_text(line)) for line in cue.lines) * em_px + 2 * reach_px
    high = len(cue.lines) * style.size
    reach = reach_px / height
    match style.position:
        case "bottom":
            top = 1 - style.margin - high
        case "top":
            top = style.margin
        case "center":
            top = 0.5 - high / 2
    half = wide_px / width / 2
    return 0.5 - half, top - reach, 0.5 + half, top + high + reach


def boxes_of(
    cues: Sequence[Cue], style: SubtitleStyle, face: Face, size: tuple[int, int]
) -> list[Box]:
    """Where cues are drawn, each place once."""
    return sorted({clipped_box(*edges_of(cue, style, face, size)) for cue in cues})


def _finding(severity: str, code: str, message: str, cues: Sequence[Cue]) -> Finding:
    return Finding.model_validate(
        {
            "severity": severity,
            "code": code,
            "message": message,
            "start_s": cues[0].start_cs / 100 if cues else 0.0,
            "end_s": cues[-1].end_cs / 100 if cues else 0.0,
        }
    )
