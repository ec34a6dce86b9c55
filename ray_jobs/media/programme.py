"""A programme of parts cut from one recording: whole frames, one sound, one file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ray_jobs.contract import (
    Box,
    Ducking,
    Finding,
    Loudness,
    MediaInfo,
    Segment,
    SubtitleStyle,
    Word,
)
from ray_jobs.engines.text import tokens
from ray_jobs.engines.timing import shared
from ray_jobs.media.caption_files import FILES, write_files
from ray_jobs.media.cut import Cut, delivery_rate, plan_cut
from ray_jobs.media.encode import BITEXACT, Encoder, render_picture
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.filtergraph import Subtitles
from ray_jobs.media.fonts import font_environment
from ray_jobs.media.narration import Mixed, mixed, placed, read_speech, write_wav
from ray_jobs.media.quality import Brief, Shown
from ray_jobs.media.reframe import Size, crop_path, framing
from ray_jobs.media.sound import RATE_HZ, Levelled, Samples, Tick, cut_samples, deliver_sound

STEADY = 0.004
"""Speech is not stretched by less than this share; nobody would hear it."""


@dataclass(frozen=True)
class Part:
    """`cut` of the recording from frame `first` of the programme on.

    `words` count from the part's start. A narrated part's speech begins `lead_s` into it and is
    played `stretch` times as long as it was spoken.
    """

    first: int
    cut: Cut
    words: list[Word]
    speech: Path | None = None
    lead_s: float = 0.0
    stretch: float = 1.0

    @property
    def at_s(self) -> float:
        return float(self.first / self.cut.rate)

    @property
    def plain(self) -> dict[str, object]:
        """What of it decides the sound, apart from the bytes of the speech."""
        return {
            "first": self.first, "start_s": self.cut.start_s, "frames": self.cut.frames,
            "rate": str(self.cut.rate), "lead_s": self.lead_s, "stretch": self.stretch,
            "spoken": self.speech is not None, "words": [word.start_s for word in self.words],
        }  # fmt: skip


def part_cut(source: Path, media: MediaInfo, start_s: float, length_s: float) -> Cut:
    """A cut of that length, in whole frames; a start too late in the recording is moved forward."""
    frames = max(1, round(length_s * delivery_rate(media)))
    start_s = max(0.0, min(start_s, media.duration_s - length_s))
    cut = plan_cut(source, media, start_s, start_s + length_s)
    return replace(cut, frames=frames)


def segment_words(segment: Segment) -> list[Word]:
    """A segment's words; where they were never timed, they share it by their letters."""
    if segment.words:
        return segment.words
    texts = tokens(segment.text)
    spans = shared([len(text) for text in texts], segment.start_s, segment.end_s) if texts else []
    return [
        Word(
            id=f"{segment.id}w{number}", text=text, start_s=start_s, end_s=end_s,
            confidence=segment.confidence, interpolated=True,
        )
        for number, (text, (start_s, end_s)) in enumerate(zip(texts, spans, strict=True))
    ]  # fmt: skip


def shifted(words: Sequence[Word], by_s: float, *, stretch: float = 1.0) -> list[Word]:
    """Words at `stretch` times their times, then moved; none before zero."""
    return [
        word.model_copy(
            update={
                "start_s": round(max(0.0, word.start_s * stretch + by_s), 3),
                "end_s": round(max(0.0, word.end_s * stretch + by_s), 3),
            }
        )
        for word in words
    ]


def render_part(
    target: Path,
    source: Path,
    media: MediaInfo,
    part: Part,
    size: Size,
    *,
    style: SubtitleStyle | None,
    encoder: Encoder,
    fonts: Path,
    progress: Callable[[float], None],
) -> None:
    """Encode one part's picture, its words burned in where there is a style."""
    frame, drawn = framing(media, size), None
    if style and part.words:
        write_files(target.parent, part.words, style, size, start_s=0.0, end_s=part.cut.duration_s)
        drawn = Subtitles(target.parent / FILES["subtitles_ass"], font_environment(fonts))
    render_picture(
        target, source, media, part.cut, frame, crop_path([], frame, part.cut.times_s),
        subtitles=drawn, encoder=encoder, progress=progress,
    )  # fmt: skip
    for name in FILES.values():
        (target.parent / name).unlink(missing_ok=True)


def strung(pictures: Sequence[Path], target: Path) -> None:
    """Pictures of one encoder and size after one another, as they are."""
    listing = target.with_suffix(".txt")
    listing.write_text("".join(f"file 'file:{path}'\n" for path in pictures), encoding="utf-8")
    ffmpeg(
        [
            *("-f", "concat", "-safe", "0", "-protocol_whitelist", "file"),
            *("-i", f"file:{listing}", "-map", "0:v:0", "-c", "copy", *BITEXACT),
            *("-movflags", "+faststart", "-f", "mp4", str(target)),
        ]
    )
    listing.unlink()


def programme_sound(
    target: Path,
    narration: Path,
    source: Path,
    parts: Sequence[Part],
    *,
    has_sound: bool,
    ducking: Ducking,
    loudness: Loudness,
    progress: Callable[[float], None],
) -> tuple[Levelled, Mixed]:
    """One sound for all parts: the recording's own, giving way to the narrator, at its loudness.

    Where a narrator speaks, the voice alone is written to `narration`, 16-bit mono, unlevelled.
    """
    last = parts[-1]
    length = round((last.at_s + last.cut.duration_s) * RATE_HZ)
    beds, voices, spans = [], [], []
    for number, part in enumerate(parts):
        tick = partial(progress, 0.4 * number / len(parts))
        tick()
        if has_sound:
            beds.append((part.at_s, cut_samples(source, part.cut, tick=tick)))
        if part.speech:
            scratch = target.with_name("stretched.wav")
            speech = _stretched(part.speech, part.stretch, scratch, tick)
            voices.append((part.at_s + part.lead_s, speech))
            spans += [(part.at_s + w.start_s, part.at_s + w.end_s) for w in part.words]
    bed = placed(beds, length) if has_sound else None
    voice = placed(voices, length)
    if voices:
        write_wav(narration, voice[:, 0], RATE_HZ)
    made = mixed(
        voice, bed, spans, ducking, loudness.target_lufs, tick=partial(progress, 0.4)
    )  # fmt: skip
    done = deliver_sound(
        target, made.sound, loudness, progress=lambda share: progress(0.4 + 0.6 * share)
    )
    return done, made


def brief_of(
    parts: Sequence[Part], media: MediaInfo, size: Size, loudness: Loudness, *,
    drawn: Sequence[Box], known: Sequence[Finding],
) -> Brief:  # fmt: skip
    """What is known of the parts' film before it is there."""
    shown = [
        Shown(part.at_s, part.at_s + part.cut.duration_s, part.cut.start_s, part.speech is None)
        for part in parts
    ]
    return Brief(
        frames=sum(part.cut.frames for part in parts), rate=parts[0].cut.rate, sound=True,
        loudness=loudness, shown=shown, drawn=drawn, known=known,
        whole=framing(media, size).mode != "crop",
    )  # fmt: skip


def _stretched(speech: Path, stretch: float, scratch: Path, tick: Tick) -> Samples:
    """Speech at another pace and its own pitch (WSOLA)."""
    if abs(stretch - 1) <= STEADY:
        return read_speech(speech, tick=tick)
    ffmpeg(
        ["-i", f"file:{speech}", "-af", f"atempo={1 / stretch:.6f}", f"file:{scratch}"],
        progress=lambda _: tick(),
    )
    try:
        return read_speech(scratch, tick=tick)
    finally:
        scratch.unlink()
