"""Who speaks when: diarization error against hand-made turns."""

import json
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from benchmarks.quality import Row
from ray_jobs.contract import IngestLimits
from ray_jobs.engines.listening import listen
from ray_jobs.media.probe import probe

TITLE = "Speakers"
ENGINE = "ray_jobs.engines.speakers"
COLLAR_S = 0.25
"""Left out on either side of every boundary of the truth, as NIST's scoring does."""
DEFAULT_MODEL = "speaker-diarization-community-1"


class Turn(NamedTuple):
    """Somebody speaks, in seconds."""

    start_s: float
    end_s: float
    speaker: str


def rows(media: Path) -> Iterator[Row]:
    truths = known(media)
    names = ", ".join(path.name for path in truths)
    what = f"diarization error, collar {COLLAR_S} s ({len(truths)} files)"
    if find_spec(ENGINE) is None:
        yield Row(what, "%", None, names, note="not built")
        return
    wrong_s = total_s = 0.0
    right_counts = 0
    for path, truth in truths.items():
        found = turns_of(path)
        error_s, spoken_s = error(truth, found)
        wrong_s, total_s = wrong_s + error_s, total_s + spoken_s
        right_counts += len({t.speaker for t in found}) == len({t.speaker for t in truth})
    yield Row(what, "%", 100 * wrong_s / total_s, names)
    yield Row("recordings with the right number of speakers", "%",
              100 * right_counts / len(truths), names)  # fmt: skip


def known(media: Path) -> dict[Path, list[Turn]]:
    folder = media / "diarization"
    table = {path.with_suffix(".flac"): rttm(path) for path in sorted(folder.glob("ami_*.rttm"))}
    said = json.loads((folder / "falcon_3speakers.json").read_text(encoding="utf-8"))
    segments = said["tests"]["diarization_tests"][0]["segments"]
    table[folder / "falcon_3speakers.wav"] = [
        Turn(s["start_sec"], s["end_sec"], str(s["speaker_tag"])) for s in segments
    ]
    for name in ("talk_a.mp4", "dialogue_c.mkv"):
        path = media / "composed" / name
        table[path] = rttm(path.with_suffix(".rttm"))
    return table


def rttm(path: Path) -> list[Turn]:
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Turn(float(r[3]), float(r[3]) + float(r[4]), r[7]) for r in rows if r and r[0] == "SPEAKER"
    ]


def turns_of(path: Path) -> list[Turn]:
    from ray_jobs.contract import SpeakerCount
    from ray_jobs.engines import speakers

    def tick(_share: float) -> None:
        pass

    with tempfile.TemporaryDirectory() as folder:
        pcm = Path(folder) / "sound.pcm"
        listen(path, probe(path, IngestLimits()).duration_s, pcm, tick)
        choice = speakers.choose(DEFAULT_MODEL)
        heard = speakers.diarize(choice, pcm, count=SpeakerCount(), tick=tick)
    return [Turn(turn.start_s, turn.end_s, turn.speaker) for turn in heard.turns]


def error(truth: list[Turn], found: list[Turn]) -> tuple[float, float]:
    """Seconds missed, invented or given to somebody else, and seconds spoken (pyannote.metrics)."""
    from pyannote.core import Annotation, Segment
    from pyannote.metrics.diarization import DiarizationErrorRate

    def annotation(turns: list[Turn]) -> Annotation:
        made = Annotation()
        for number, turn in enumerate(turns):
            made[Segment(turn.start_s, turn.end_s), number] = turn.speaker
        return made

    # The library takes the width of the whole collar, both sides together.
    scorer = DiarizationErrorRate(collar=2 * COLLAR_S)
    parts = scorer.compute_components(annotation(truth), annotation(found))
    wrong_s = parts["confusion"] + parts["missed detection"] + parts["false alarm"]
    return float(wrong_s), float(parts["total"])
