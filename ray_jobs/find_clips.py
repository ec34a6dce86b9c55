"""Find the spans worth showing: measure once, score every candidate, choose the best set.

Faces are looked for in the chosen clips alone: a ten-hour recording costs no more of it than they.
"""

import json
from pathlib import Path
from typing import Any, cast
from uuid import uuid5

import numpy as np

from kernels.select_clips import select
from ray_jobs.clips import candidates as spans
from ray_jobs.clips import language, scoring
from ray_jobs.clips.candidates import Candidates
from ray_jobs.clips.features import Features, measure
from ray_jobs.clips.framing import camera
from ray_jobs.clips.opinions import Opinions, ask, shortlist
from ray_jobs.clips.tighten import suggested
from ray_jobs.contract import (
    Artifact,
    ClipsFound,
    FindClips,
    FoundClip,
    Json,
    PassedOver,
)
from ray_jobs.engines import faces, letters
from ray_jobs.media.decode import choose_decoder, frames_at
from ray_jobs.media.images import write_jpeg
from ray_jobs.run import JobRun, Step

PREVIEW_HEIGHT = 360
MAX_PASSED_OVER = 200


def find_clips(run: JobRun, spec: FindClips) -> ClipsFound:
    """Find clips in a recording; changing a weight or the transcript measures nothing again."""
    run.plan(12.5 if spec.opinion else 10.0)
    source = spec.source
    path = run.fetch(source.object)
    media = source.media

    def analyse(directory: Path) -> Json:
        run.used(decoder=choose_decoder(media, run.decoder).name)
        features = measure(
            path, media, run.progress, decoder=run.decoder, say=lambda name: run.used(decoder=name)
        )
        features.save(directory / "features.npz")
        (directory / "features.json").write_text(json.dumps(features.curves()))
        return cast("Json", {"shots": features.shots, "duration_s": features.duration_s})

    analysis = run.step(
        "analyse", analyse, version=3, weight=8.0,
        params={"media": media.model_dump(mode="json")}, inputs=[source.object.sha256],
    )  # fmt: skip
    measured = analysis.ref("features.npz")
    said = opinions_on(run, spec, analysis)
    wanted = spec.model_dump(mode="json", exclude={"source", "transcript_id", "opinion"})
    choosing = run.step(
        "choose", lambda d: choose(run, spec, analysis, said, d), version=7, weight=0.5,
        params=wanted | {"opinions": said.plain if said else None}, inputs=[measured.sha256],
    )  # fmt: skip
    chosen = cast("list[dict[str, Any]]", choosing.value["clips"])
    framed = framing_step(run, spec, path, analysis, chosen)
    previews = preview_step(run, spec, path, chosen) if media.video_codec else None
    clips = []
    for rank, (clip, view) in enumerate(zip(chosen, framed, strict=True), 1):
        ticks = f"{round(clip['start_s'] * 1000)}-{round(clip['end_s'] * 1000)}"
        clip_id = uuid5(source.video_id, ticks)
        preview = None
        if previews:
            preview = Artifact(
                kind="preview", object=previews.ref(f"{rank:03d}.jpg"),
                filename=f"clip-{rank:02d}.jpg", clip_id=clip_id,
            )  # fmt: skip
        clips.append(FoundClip(clip_id=clip_id, rank=rank, preview=preview, **clip, **view))
    artifacts = [
        Artifact(kind="features", object=analysis.ref("features.json"), filename="features.json"),
        Artifact(
            kind="candidates", object=choosing.ref("candidates.json"), filename="candidates.json"
        ),
    ]
    return ClipsFound(
        clips=clips,
        candidates=cast("int", choosing.value["candidates"]),
        shots=len(cast("list[Json]", analysis.value["shots"])),
        passed_over=cast("list[PassedOver]", choosing.value["passed_over"]),
        warnings=said.warnings if said else [],
        artifacts=artifacts,
    )


def opinions_on(run: JobRun, spec: FindClips, analysis: Step) -> Opinions | None:
    """Opinions on the candidates that are best without any; None where nobody is to be asked."""
    if spec.opinion is None:
        return None

    def work(_directory: Path) -> Json:
        features = Features.load(analysis.path("features.npz"), analysis.value)
        found = spans.find(spec, features)
        total = scoring.score(spec, features, found).total
        run.progress(0.9)
        return {"texts": [found.text(i) for i in shortlist(found, total, spec.max_clips)]}

    step = run.step(
        "shortlist", work, version=1, weight=0.5, inputs=[analysis.ref("features.npz").sha256],
        params=spec.model_dump(mode="json", exclude={"source", "transcript_id", "opinion"}),
    )  # fmt: skip
    return ask(run, spec.opinion, cast("list[str]", step.value["texts"]), weight=2.0)


def choose(
    run: JobRun, spec: FindClips, analysis: Step, opinions: Opinions | None, directory: Path
) -> Json:
    """Score all candidates, pick the best set, write every candidate with its reason."""
    features = Features.load(analysis.path("features.npz"), analysis.value)
    found = spans.find(spec, features)
    run.progress(0.2)
    scored = scoring.score(spec, features, found, opinions)
    run.progress(0.8)
    fitting = np.flatnonzero(found.fits)
    kept = fitting[
        select(found.start_s[fitting], found.end_s[fitting], scored.total[fitting], spec.max_clips)
    ]
    ranked = sorted((int(i) for i in kept), key=lambda i: (-scored.total[i], found.start_s[i]))
    rows = write_candidates(directory / "candidates.json", found, scored, ranked, spec.max_clips)
    passed_over = [
        {"start_s": row[0], "end_s": row[1], "score": row[2], "reason": row[4]}
        for row in sorted(rows, key=lambda row: (-row[2], row[0], row[1]))
        if row[4]
    ][:MAX_PASSED_OVER]
    clips = [described(i, spec, found, scored, features) for i in ranked]
    return cast("Json", {
        "clips": clips, "candidates": len(fitting), "passed_over": passed_over,
    })  # fmt: skip


def described(
    i: int, spec: FindClips, found: Candidates, scored: scoring.Scored, features: Features
) -> dict[str, Any]:
    """One chosen candidate as data."""
    units = found.units[int(found.first[i]) : int(found.last[i]) + 1]
    parts = scored.breakdown(i, found)
    worth = [scored.hooks[int(found.first[i]) + k][0] for k in range(len(units))]
    start_s, end_s = float(found.start_s[i]), float(found.end_s[i])
    edits = suggested(
        [word for unit in units for word in unit.words], features,
        language=spec.language, applied=spec.tighten,
    )  # fmt: skip
    ids = dict.fromkeys(name for unit in units for name in unit.segment_ids)
    return {
        "start_s": start_s,
        "end_s": end_s,
        "score": sum(part.contribution for part in parts),
        "parts": [part.model_dump(mode="json") for part in parts],
        "title": ("" if spec.rough else language.title(units, worth)) or when(start_s, end_s),
        "text": found.text(i),
        "segment_ids": list(ids),
        "edits": [edit.model_dump(mode="json") for edit in edits],
    }


def when(start_s: float, end_s: float) -> str:
    """A name for what has none: when it is, as players write it."""
    minutes, seconds = zip(*(divmod(round(time_s), 60) for time_s in (start_s, end_s)), strict=True)
    return f"{minutes[0]}:{seconds[0]:02} to {minutes[1]}:{seconds[1]:02}"


def framing_step(
    run: JobRun, spec: FindClips, path: Path, analysis: Step, chosen: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """For each clip the `crop_track` to follow and the `subject`, what it follows."""
    media = spec.source.media
    spans = [(clip["start_s"], clip["end_s"]) for clip in chosen]
    engines = {"faces": faces.engine(), "letters": letters.engine()}

    def frame(_directory: Path) -> Json:
        run.used(**(engines if media.video_codec else dict.fromkeys(engines, "none (no video)")))
        features = Features.load(analysis.path("features.npz"), analysis.value)
        framed = []
        for number, span in enumerate(spans):
            track, subject = camera(path, media, features, spec.segments, *span)
            points = [point.model_dump(mode="json") for point in track]
            framed.append({"crop_track": points, "subject": subject})
            run.progress((number + 1) / len(spans))
        return cast("Json", {"clips": framed})

    turns = [[s.start_s, s.end_s, s.speaker] for s in spec.segments if s.speaker]
    step = run.step(
        "frame", frame, version=3, weight=1.0,
        params=cast("Json", {"spans": spans, "turns": turns, **engines}),
        inputs=[spec.source.object.sha256, analysis.ref("features.npz").sha256],
    )  # fmt: skip
    return cast("list[dict[str, Any]]", step.value["clips"])


def write_candidates(
    path: Path, found: Candidates, scored: scoring.Scored, ranked: list[int], cap: int
) -> list[list[Any]]:
    """Write and return every candidate: span, score, contributions, why it was not kept."""
    names = list(scored.parts)
    kept = [(found.start_s[i], found.end_s[i]) for i in ranked]
    lowest = min((scored.total[i] for i in ranked), default=0.0)
    rows = []
    for i in range(len(found.first)):
        start_s, end_s, total = found.start_s[i], found.end_s[i], scored.total[i]
        overlaps = any(start_s < b and end_s > a for a, b in kept)
        reason = None
        if i not in ranked:
            reason = "overlap" if overlaps else "score"
            if not found.fits[i]:
                reason = "length"
            elif not overlaps and len(ranked) >= cap and total <= lowest:
                reason = "cap"
        values = [
            round(scored.weights[n] * round(float(scored.parts[n].normalised[i]), 6), 10)
            for n in names
        ]
        rows.append([
            round(float(start_s), 3), round(float(end_s), 3), round(float(total), 10),
            "rejected" if reason else "kept", reason, values,
        ])  # fmt: skip
    columns = ["start_s", "end_s", "score", "status", "reason", "contributions"]
    table = {"columns": columns, "parts": names, "relaxed": found.relaxed, "rows": rows}
    path.write_text(json.dumps(table, separators=(",", ":")))
    return rows


def preview_step(run: JobRun, spec: FindClips, path: Path, chosen: list[dict[str, Any]]) -> Step:
    """A picture from each clip, one third in."""
    times = [round(c["start_s"] + (c["end_s"] - c["start_s"]) / 3, 3) for c in chosen]
    height = min(PREVIEW_HEIGHT, spec.source.media.height or PREVIEW_HEIGHT)

    def draw(directory: Path) -> Json:
        pictures = (
            frames_at(path, spec.source.media, times, height=height, tick=run.tick) if times else []
        )
        for number, picture in enumerate(pictures, 1):
            write_jpeg(picture, directory / f"{number:03d}.jpg")
            run.progress(number / len(pictures))
        return {}

    return run.step(
        "clip_previews", draw, version=1, weight=0.5,
        params=cast("Json", {"times_s": times, "height": height}),
        inputs=[spec.source.object.sha256],
    )  # fmt: skip
