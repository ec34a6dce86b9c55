"""A narration over what it covers, and a retelling's length and sources."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.quality import Row
from benchmarks.workshop import ID, Workshop, workshop
from ray_jobs.contract import GivenTranscript, Narrate, Retell, Transcribe
from ray_jobs.narrate import narrate
from ray_jobs.retell import retell
from ray_jobs.sample import make_sample
from ray_jobs.transcribe import transcribe

TITLE = "Narration and retelling"
TEXT = "The feather and the hammer fell at the same time, just as Galileo had said they would."
TARGETS_S = (20.0, 45.0)
BEDS = ("music/guitar.mp3", "music/paulallen_song.mp3", "video/sintel_trailer_480p.mp4",
        "composed/talk_a.mp4")  # fmt: skip
RATIO_LU = 6.0
LENGTH = 3.0


def rows(media: Path) -> Iterator[Row]:
    with workshop() as shop:
        ratios = [_ratio(shop, path) for path in beds(media)]
        worst = min(ratios)
        yield Row(f"voice over its bed, least of {len(ratios)} beds", "LU", worst,
                  ", ".join(path.name for path in beds(media)), target=f"≥ {RATIO_LU:g}",
                  met=worst >= RATIO_LU)  # fmt: skip
        yield from _retold(shop)


def beds(media: Path) -> list[Path]:
    return [media / name for name in BEDS]


def _ratio(shop: Workshop, path: Path) -> float:
    source = shop.source(path)
    end_s = min(10.0, source.media.duration_s)
    spec = Narrate(source=source, clip_id=ID, start_s=0.0, end_s=end_s, text=TEXT)
    said = narrate(shop.run(spec), spec).narration_to_bed_lu
    return float("inf") if said is None else said


def _retold(shop: Workshop) -> Iterator[Row]:
    sample = make_sample(shop.folder / "talk.mp4", shop.folder / "made")
    source = shop.source(sample.path)
    given = GivenTranscript(format="srt", text=sample.transcript)
    asked = Transcribe(source=source, language="en", given=given)
    segments = transcribe(shop.run(asked), asked).segments
    off, cited, sentences = 0.0, 0, 0
    known = {segment.id for segment in segments}
    for target_s in TARGETS_S:
        spec = Retell(
            source=source, retell_id=ID, version=1, segments=segments, target_s=target_s,
            height=180, render_speed="ultrafast", encoder="x264",
        )  # fmt: skip
        told = retell(shop.run(spec), spec)
        off = max(off, 100 * abs(told.length_error))
        sentences += len(told.script)
        cited += sum(set(one.segment_ids) <= known and bool(one.segment_ids) for one in told.script)
    where = "the sample talk, told in " + " and ".join(f"{t:g} s" for t in TARGETS_S)
    yield Row("length of a retelling: largest error", "%", off, where, target=f"≤ {LENGTH:g}",
              met=off <= LENGTH)  # fmt: skip
    yield Row(f"sentences that cite their source ({sentences})", "%",
              100 * cited / max(1, sentences), where, target="100",
              met=cited == sentences)  # fmt: skip
