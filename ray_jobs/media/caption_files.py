"""Subtitle files of a clip: styled ASS to burn, plain SRT and WebVTT to deliver."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

from pysubs2 import Alignment, Color, SSAEvent, SSAFile, SSAStyle

from ray_jobs.contract import (
    OPEN,
    Artifact,
    Aspect,
    Box,
    ClipCut,
    Finding,
    Json,
    SafeArea,
    Source,
    SubtitleStyle,
    Word,
)
from ray_jobs.media.captions import (
    SIDE_MARGIN,
    Cue,
    Token,
    boxes_of,
    face_for,
    findings_of,
    make_cues,
    room_for,
    words_inside,
)
from ray_jobs.media.fonts import BrandFonts, Face
from ray_jobs.media.reframe import target_size
from ray_jobs.run import JobRun, Step

VERSION = 2
FILES = {
    "subtitles_ass": "subtitles.ass",
    "subtitles_srt": "subtitles.srt",
    "subtitles_vtt": "subtitles.vtt",
}
WORD_JOINER = "\u2060"
POP_MS = 90
_ALIGNMENT = {
    "bottom": Alignment.BOTTOM_CENTER,
    "center": Alignment.MIDDLE_CENTER,
    "top": Alignment.TOP_CENTER,
}


def subtitle_files(
    run: JobRun,
    source: Source,
    cut: ClipCut,
    aspect: Aspect,
    height: int,
    *,
    fonts: BrandFonts | None = None,
    safe_area: SafeArea = OPEN,
    lead_s: float = 0.0,
    weight: float = 0.1,
) -> Step:
    """The clip's subtitle files, one cached step for styling and export alike.

    The clip begins `lead_s` into the file they are for. The step's value holds `findings`, `boxes`
    (where cues are drawn) and `preview_s`, the middle of the first cue from the clip's start (None
    without a cue).
    """
    style = cut.style or SubtitleStyle()
    width, height = target_size(source.media, aspect, height)
    said = words_inside(cut.words, start_s=cut.start_s, end_s=cut.end_s)
    words = [word for word in said if word.confidence >= cut.min_confidence]
    params: Json = {
        "words": [word.model_dump(mode="json") for word in words],
        "start_s": cut.start_s,
        "end_s": cut.end_s,
        "style": style.model_dump(mode="json"),
        "width": width,
        "height": height,
        "safe_area": safe_area.model_dump(mode="json"),
    }
    if lead_s:
        params["lead_s"] = lead_s
    if unsure := len(said) - len(words):
        params["unsure"] = unsure

    def work(directory: Path) -> Json:
        return write_files(
            directory, words, style, (width, height), start_s=cut.start_s - lead_s,
            end_s=cut.end_s, fonts=fonts.directory if fonts else None, safe_area=safe_area,
            unsure=unsure,
        )  # fmt: skip

    return run.step(
        "subtitle_files",
        work,
        version=VERSION,
        params=params,
        inputs=[source.object.sha256, *(fonts.sha256s if fonts else ())],
        weight=weight,
    )


def subtitle_artifacts(step: Step, cut: ClipCut, stem: str) -> list[Artifact]:
    """The step's files, to be delivered under `stem`."""
    return [
        Artifact(
            kind=kind,
            object=step.ref(name),
            filename=f"{stem}{Path(name).suffix}",
            clip_id=cut.clip_id,
        )
        for kind, name in FILES.items()
    ]


def findings_in(step: Step) -> list[Finding]:
    found = step.value["findings"]
    return [Finding.model_validate(each) for each in found] if found else []  # type: ignore[union-attr]


def boxes_in(step: Step) -> list[Box]:
    return [(x, y, w, h) for x, y, w, h in cast("list[list[float]]", step.value["boxes"])]


def write_files(
    directory: Path,
    words: Sequence[Word],
    style: SubtitleStyle,
    size: tuple[int, int],
    *,
    start_s: float,
    end_s: float,
    fonts: Path | None = None,
    safe_area: SafeArea = OPEN,
    unsure: int = 0,
) -> Json:
    """Write the three files into `directory`; sizes are width and height of the picture. `unsure`
    is how many words were left out because they were not heard surely enough.
    """
    width, height = size
    face = face_for(style, fonts)
    room = room_for(style, face, width=width, height=height)
    cues = make_cues(words, start_s=start_s, end_s=end_s, style=style, room=room)
    (directory / FILES["subtitles_ass"]).write_text(ass(cues, style, face, size), encoding="utf-8")
    (directory / FILES["subtitles_srt"]).write_text(srt(cues), encoding="utf-8")
    (directory / FILES["subtitles_vtt"]).write_text(vtt(cues), encoding="utf-8")
    findings = findings_of(
        cues, words, style=style, room=room, size=size, safe_area=safe_area, unsure=unsure
    )
    return {
        "cues": len(cues),
        "preview_s": (cues[0].start_cs + cues[0].end_cs) / 200 if cues else None,
        "boxes": [list(box) for box in boxes_of(cues, style, face, size)],
        "findings": [finding.model_dump(mode="json") for finding in findings],
    }


# ---- plain formats -----------------------------------------------------------------------------

# Written by hand: pysubs2 reads `{…}` in plain text as ASS overrides and drops it.


def srt(cues: Sequence[Cue]) -> str:
    """SubRip; the one sequence that has a meaning in its text, the arrow, is taken apart."""
    blocks = []
    for number, cue in enumerate(cues, 1):
        text = cue.text.replace("-->", f"--{WORD_JOINER}>")
        blocks.append(
            f"{number}\n{_clock(cue.start_cs, ',')} --> {_clock(cue.end_cs, ',')}\n{text}\n"
        )
    return "\n".join(blocks)


def vtt(cues: Sequence[Cue]) -> str:
    """WebVTT, text escaped as the standard says."""
    blocks = ["WEBVTT\n"]
    for cue in cues:
        text = cue.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{_clock(cue.start_cs, '.')} --> {_clock(cue.end_cs, '.')}\n{text}\n")
    return "\n".join(blocks)


def _clock(time_cs: int, point: str) -> str:
    seconds, centi = divmod(time_cs, 100)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{centi:02d}0"


# ---- ASS ---------------------------------------------------------------------------------------


def ass(cues: Sequence[Cue], style: SubtitleStyle, face: Face, size: tuple[int, int]) -> str:
    """Styled subtitles for a picture of `size` (width, height); no two events overlap."""
    width, height = size
    document = SSAFile()
    document.info.update(
        {
            "PlayResX": str(width),
            "PlayResY": str(height),
            "WrapStyle": "2",
            "ScaledBorderAndShadow": "yes",
            "YCbCr Matrix": "TV.709",
        }
    )
    document.styles = {"Default": _ass_style(style, face, width, height)}
    for cue in cues:
        document.events += [
            SSAEvent(start=start * 10, end=end * 10, text=text)
            for start, end, text in _events(cue, style)
        ]
    return str(document.to_string("ass"))


def _ass_style(style: SubtitleStyle, face: Face, width: int, height: int) -> SSAStyle:
    sweep = style.animation == "karaoke"
    boxed = style.box_color is not None
    padding = style.size * height * 0.3
    return SSAStyle(
        fontname=face.family,
        fontsize=round(style.size * height, 2),
        bold=style.bold,
        primarycolor=_color(style.active_color if sweep else style.color),
        secondarycolor=_color(style.color),
        outlinecolor=_color(style.outline_color),
        backcolor=_color(style.box_color or style.outline_color),
        # 4 is libass's own: one box behind the whole event, as large as the shadow is deep.
        borderstyle=4 if boxed else 1,
        outline=round(style.outline * height, 2),
        shadow=round(padding, 2) if boxed else 0,
        alignment=_ALIGNMENT[style.position],
        marginl=round(width * SIDE_MARGIN),
        marginr=round(width * SIDE_MARGIN),
        marginv=round(style.margin * height),
        # -1 lets libass find each event's base direction from its text.
        encoding=-1,
    )


def _events(cue: Cue, style: SubtitleStyle) -> Iterator[tuple[int, int, str]]:
    match style.animation:
        case "none":
            yield cue.start_cs, cue.end_cs, _ass_text(cue, lambda token: escaped(token.text))
        case "karaoke":
            yield cue.start_cs, cue.end_cs, _swept(cue)
        case "highlight" | "pop":
            tokens = cue.tokens
            ends = [token.start_cs for token in tokens[1:]] + [cue.end_cs]
            for active, (token, end) in enumerate(zip(tokens, ends, strict=True)):
                yield token.start_cs, end, _with_active(cue, active, style)


def _swept(cue: Cue) -> str:
    """Every word is filled from left to right while it is spoken."""
    heard = cue.start_cs

    def sweep(token: Token) -> str:
        nonlocal heard
        pause = f"{{\\k{token.start_cs - heard}}}" if token.start_cs > heard else ""
        heard = token.end_cs
        return f"{pause}{{\\kf{token.end_cs - token.start_cs}}}{escaped(token.text)}"

    return _ass_text(cue, sweep)


def _with_active(cue: Cue, active: int, style: SubtitleStyle) -> str:
    """One word in the active colour; `pop` lets it grow and hides the words to come."""
    normal, marked = (_override(colour) for colour in (style.color, style.active_color))
    pop = style.animation == "pop"
    grow = f"\\fscx80\\fscy80\\t(0,{POP_MS},\\fscx100\\fscy100)" if pop else ""
    index = -1

    def mark(token: Token) -> str:
        nonlocal index
        index += 1
        text = escaped(token.text)
        if index == active:
            after = "\\alpha&HFF&" if pop else normal
            return f"{{{marked}{grow}}}{text}{{\\fscx100\\fscy100{after}}}"
        return text

    return _ass_text(cue, mark)


def _ass_text(cue: Cue, write: Callable[[Token], str]) -> str:
    lines = []
    for line in cue.lines:
        written = [
            (" " if index and token.spaced else "") + write(token)
            for index, token in enumerate(line)
        ]
        lines.append("".join(written))
    return "\\N".join(lines)


def escaped(text: str) -> str:
    """Text that libass shows as it is: braces escaped, a backslash cut off from what follows."""
    parted = text.replace("\\", f"\\{WORD_JOINER}")
    return parted.replace("{", "\\{").replace("}", "\\}")


def _color(colour: str) -> Color:
    red, green, blue, opacity = _channels(colour)
    return Color(red, green, blue, 255 - opacity)


def _override(colour: str) -> str:
    red, green, blue, opacity = _channels(colour)
    return f"\\1c&H{blue:02X}{green:02X}{red:02X}&\\1a&H{255 - opacity:02X}&"


def _channels(colour: str) -> tuple[int, int, int, int]:
    red, green, blue, opacity = bytes.fromhex(f"{colour[1:]}FF"[:8])
    return red, green, blue, opacity
