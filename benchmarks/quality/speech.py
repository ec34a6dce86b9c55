"""Word error rate of the speech engine that this node has, beside the same engine on its own."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.quality import Row
from benchmarks.workshop import workshop
from ray_jobs.contract import Transcribe
from ray_jobs.media.audio import read_audio
from ray_jobs.transcribe import transcribe

TITLE = "Recognition"
READ = (
    "libri_2412-153948-0000.flac", "sb_spk1_snt1.wav", "sb_spk1_snt2.wav", "sb_spk1_snt3.wav",
    "sb_spk2_snt1.wav", "sb_spk2_snt2.wav", "sb_spk2_snt3.wav", "jfk.flac",
)  # fmt: skip
CASUAL = ("mfa_gaming_talk.flac",)
RATE_HZ = 16_000


def rows(media: Path) -> Iterator[Row]:
    for name, truths in (("read speech", read(media)), ("free speech", free(media))):
        ours, alone, engine = [], [], ""
        for path, text in truths.items():
            heard, engine = recognised(path)
            ours.append((edits(words(text), words(heard)), len(words(text))))
            alone.append((edits(words(text), words(pocketsphinx_alone(path))), len(words(text))))
        yield Row(
            f"word error rate, {name} ({len(truths)} files, {sum(n for _, n in ours)} words)", "%",
            rate(ours), ", ".join(path.name for path in truths),
            peers={"pocketsphinx on the whole file": rate(alone)}, note=engine,
        )  # fmt: skip


def read(media: Path) -> dict[Path, str]:
    table = {media / "speech" / name: truth(media, f"speech/{name}") for name in READ}
    for path in sorted((media / "alignment").glob("austen_*.wav")):
        table[path] = path.with_suffix(".txt").read_text(encoding="utf-8")
    return table


def free(media: Path) -> dict[Path, str]:
    table = {media / "speech" / name: truth(media, f"speech/{name}") for name in CASUAL}
    video = media / "video"
    moon = video / "apollo15_hammer_feather.webm"
    table[moon] = moon.with_suffix(".txt").read_text(encoding="utf-8")
    film = video / "his_girl_friday_6s.mp4"
    cues = re.sub(r"WEBVTT|.*-->.*", "", film.with_suffix(".vtt").read_text(encoding="utf-8"))
    table[film] = cues
    for name in ("talk_a.mp4", "dialogue_c.mkv"):
        path = media / "composed" / name
        said = json.loads(path.with_suffix(".truth.json").read_text(encoding="utf-8"))
        table[path] = " ".join(part["text"] for part in said["utterances"])
    return table


def truth(media: Path, name: str) -> str:
    """What the manifest says is spoken in a file."""
    manifest = (media / "MANIFEST.md").read_text(encoding="utf-8")
    row = next(line for line in manifest.splitlines() if line.startswith(f"| {name} "))
    return row.partition("Truth: ")[2].partition(" | ")[0]


def recognised(path: Path) -> tuple[str, str]:
    with workshop() as shop:
        spec = Transcribe(source=shop.source(path), language="en")
        result = transcribe(shop.run(spec), spec)
    return " ".join(segment.text for segment in result.segments), result.engine


def pocketsphinx_alone(path: Path) -> str:
    from pocketsphinx import Decoder

    sound = read_audio(path, rate_hz=RATE_HZ, channels=1).reshape(-1)
    decoder = Decoder(samprate=RATE_HZ, loglevel="FATAL")
    decoder.start_utt()
    decoder.process_raw((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()
    return decoder.hyp().hypstr if decoder.hyp() else ""


def words(text: str) -> list[str]:
    """Lower-case words without punctuation, so that spelling of marks is no error."""
    return re.findall(r"[a-z0-9']+", text.lower().replace("’", "'"))


def edits(wanted: Sequence[str], found: Sequence[str]) -> int:
    """Fewest substitutions, insertions and deletions between two sequences (Levenshtein, 1966)."""
    costs = list(range(len(found) + 1))
    for row, one in enumerate(wanted, 1):
        above = list(costs)
        costs[0] = row
        for column, ((diagonal, straight), other) in enumerate(
            zip(pairwise(above), found, strict=True), 1
        ):
            costs[column] = min(diagonal + (one != other), straight + 1, costs[column - 1] + 1)
    return costs[-1]


def rate(pairs: Sequence[tuple[int, int]]) -> float:
    return 100 * sum(wrong for wrong, _ in pairs) / max(1, sum(total for _, total in pairs))
