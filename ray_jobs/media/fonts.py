"""The fonts subtitles are drawn with: ours from the wheel, then the system's for missing glyphs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from unicodedata import category, east_asian_width
from xml.sax.saxutils import escape

from fontTools.ttLib import TTCollection, TTFont, TTLibError

from ray_jobs.failures import Failure

DEFAULT_FAMILY = "Roboto"
BOLD_WEIGHT = 600
RESTRICTED = 0x0002
SYSTEM_DIRECTORIES = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
SUFFIXES = {".ttf", ".otf", ".ttc", ".otc"}


@dataclass(frozen=True)
class Face:
    """One font face. Advances are shares of the em; `line_em` is what libass calls 100 % size."""

    path: Path
    family: str
    bold: bool
    italic: bool
    glyphs: dict[int, str]
    advances: dict[str, float]
    line_em: float

    def width_em(self, text: str) -> float:
        """Width of unshaped text; an unknown glyph counts as wide or as an average letter."""
        return sum(self._advance_em(character) for character in text)

    def _advance_em(self, character: str) -> float:
        glyph = self.glyphs.get(ord(character))
        if glyph is not None:
            return self.advances[glyph]
        if category(character) in {"Mn", "Me", "Cf"}:
            return 0.0
        return 1.0 if east_asian_width(character) in "WF" else 0.6


def bundled_directory() -> Path:
    """Where the font-roboto wheel keeps its files.

    Raises
    ------
    Failure
        `font_missing` where the wheel is not installed.
    """
    spec = find_spec("font_roboto")
    if spec is None or not spec.submodule_search_locations:
        raise Failure("font_missing", "Install the package font-roboto on the worker.")
    return Path(spec.submodule_search_locations[0]) / "files"


def font_directories() -> list[Path]:
    return [bundled_directory(), *(path for path in SYSTEM_DIRECTORIES if path.is_dir())]


def find_face(family: str, *, bold: bool, brand: Path | None = None) -> Face | None:
    """The upright face of a family, by its own name, nearest in weight; None if not there.

    A brand's own fonts come before those that are installed.
    """
    upright = [face for face in _family(family.casefold(), brand) if not face.italic]
    return min(upright, key=lambda face: face.bold != bold, default=None)


@lru_cache(maxsize=32)
def _family(family: str, brand: Path | None) -> tuple[Face, ...]:
    for directory in [brand, *font_directories()] if brand else font_directories():
        files = sorted(path for path in directory.rglob("*") if path.suffix.lower() in SUFFIXES)
        faces = (face for path in files for face in _faces(path, family))
        if found := tuple(faces):
            return found
    return ()


def _faces(path: Path, family: str) -> Iterable[Face]:
    for font in _open(path):
        if (font["name"].getDebugName(1) or "").casefold() == family:
            yield _read(path, font)


def _read(path: Path, font: TTFont) -> Face:
    em = font["head"].unitsPerEm
    os2 = font["OS/2"]
    advances = {glyph: metrics[0] / em for glyph, metrics in font["hmtx"].metrics.items()}
    return Face(
        path=path,
        family=font["name"].getDebugName(1),
        bold=os2.usWeightClass >= BOLD_WEIGHT,
        italic=bool(os2.fsSelection & 1),
        glyphs=dict(font.getBestCmap() or {}),
        advances=advances,
        # libass, like VSFilter, fits the Windows ascent and descent into the font size.
        line_em=(os2.usWinAscent + os2.usWinDescent) / em or 1.0,
    )


def _open(path: Path) -> Iterator[TTFont]:
    """The faces of a file, each open until the next one; none where it cannot be read."""
    collection = path.suffix.lower() in {".ttc", ".otc"}
    try:
        with TTCollection(str(path), lazy=True) if collection else TTFont(str(path)) as opened:
            yield from opened.fonts if collection else [opened]
    except (TTLibError, OSError):
        return


class BrandFonts(NamedTuple):
    """A brand's fonts as files in a directory of their own, and the hashes of their bytes."""

    directory: Path
    sha256s: tuple[str, ...]


class BrandFont(NamedTuple):
    content_type: str
    family: str
    bold: bool
    italic: bool


def read_brand_font(path: Path) -> BrandFont:
    """Open a font a user has sent: one TrueType or OpenType face that may be embedded.

    Raises
    ------
    Failure
        `not_a_font`, or `font_not_embeddable` where its licence bits say so (OpenType OS/2
        `fsType`, bit 1: Restricted License embedding).
    """
    wrong = Failure("not_a_font", "This is no font that can be used: send one TTF or OTF file.")
    with path.open("rb") as file:
        mark = file.read(4)
    if mark not in (b"\0\1\0\0", b"true", b"OTTO"):
        raise wrong
    try:
        with TTFont(str(path), lazy=True) as font:
            face, fs_type = _read(path, font), font["OS/2"].fsType
            outlines = [font[tag] for tag in ("glyf", "CFF ", "CFF2") if tag in font]
    except Exception as error:  # the parser fails in as many ways as fonts can be broken
        raise wrong from error
    if not (face.family and face.glyphs and outlines):
        raise wrong
    if fs_type & 0x000F == RESTRICTED:
        raise Failure(
            "font_not_embeddable", "The font's licence forbids embedding it; send another one."
        )
    kind = "font/otf" if mark == b"OTTO" else "font/ttf"
    return BrandFont(kind, face.family, face.bold, face.italic)


def missing_glyphs(text: str, face: Face) -> list[str]:
    """Visible characters that neither the face nor any installed font can draw, in order."""
    wanted = dict.fromkeys(
        character
        for character in text
        if not character.isspace() and category(character) not in {"Cf", "Cc", "Mn"}
    )
    unknown = [character for character in wanted if ord(character) not in face.glyphs]
    if not unknown:
        return []
    installed = _installed_glyphs()
    return [character for character in unknown if ord(character) not in installed]


@lru_cache(maxsize=1)
def _installed_glyphs() -> frozenset[int]:
    known: set[int] = set()
    for directory in font_directories():
        for path in directory.rglob("*"):
            if path.suffix.lower() in SUFFIXES:
                for font in _open(path):
                    known.update(font.getBestCmap() or ())
    return frozenset(known)


def font_environment(directory: Path, brand: Path | None = None) -> dict[str, str]:
    """Environment for an ffmpeg that burns subtitles: a private fontconfig file in `directory`.

    Without it libass finds no font on a bare system, draws nothing and ffmpeg still exits 0.
    """
    directories = [brand, *font_directories()] if brand else font_directories()
    found = "".join(f"<dir>{escape(str(path))}</dir>" for path in directories)
    config = directory / "fonts.conf"
    config.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">'
        f"<fontconfig>{found}<cachedir>{escape(str(directory / 'fontconfig'))}</cachedir>"
        "</fontconfig>",
        encoding="utf-8",
    )
    return {"FONTCONFIG_FILE": str(config)}


def check_drawn(log: str) -> None:
    """Raise `Failure("font_missing")` where libass's log says that it had no font at all."""
    if "Failed to load fontconfig fonts" in log or "glyph 0x0 for font" in log:
        raise Failure("font_missing", "No font could be loaded; install font-roboto.")
