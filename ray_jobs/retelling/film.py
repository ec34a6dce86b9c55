"""The film of a retelling: pictures, one sound, papers, and the whole that they make."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from ray_jobs.contract import AudioStream, Json, MediaInfo, Retell, ScriptSentence, SubtitleStyle
from ray_jobs.media.caption_files import boxes_in, findings_in, write_files
from ray_jobs.media.encode import join, pick_encoder
from ray_jobs.media.programme import Part, brief_of, programme_sound, render_part, shifted, strung
from ray_jobs.media.quality import inspected
from ray_jobs.media.reframe import target_size
from ray_jobs.media.sound import RATE_HZ
from ray_jobs.media.timeline import event_of, timeline_step
from ray_jobs.retelling.voices import SPEECH, Voiced
from ray_jobs.run import JobRun, Step

PICTURE, SOUND, VIDEO, SCRIPT = "picture.mp4", "sound.m4a", "retelling.mp4", "script.json"
NARRATION = "narration.wav"


def picture_step(run: JobRun, spec: Retell, part: Part, source: Path, count: int) -> Step:
    media = spec.source.media
    size = target_size(media, spec.aspect, spec.height)
    encoder = pick_encoder(spec.encoder, crf=spec.crf, speed=spec.render_speed)

    def work(directory: Path) -> Json:
        run.used(encoder=encoder.name)
        render_part(
            directory / PICTURE, source, media, part, size, style=spec.style, encoder=encoder,
            fonts=run.workdir, progress=run.progress,
        )  # fmt: skip
        return {}

    params = {
        "start_s": part.cut.start_s, "frames": part.cut.frames, "rate": str(part.cut.rate),
        "size": list(size), "encoder": list(encoder.arguments),
        "media": media.model_dump(mode="json"),
        "words": [[w.text, w.start_s, w.end_s] for w in part.words] if spec.style else [],
        "style": spec.style.model_dump(mode="json") if spec.style else None,
    }  # fmt: skip
    return run.step(
        "retell_picture", work, version=1, weight=0.5 / count, params=cast("Json", params),
        inputs=[spec.source.object.sha256],
    )  # fmt: skip


def sound_step(
    run: JobRun, spec: Retell, parts: Sequence[Part], voiced: Sequence[Voiced], source: Path
) -> Step:
    def work(directory: Path) -> Json:
        done, made = programme_sound(
            directory / SOUND, directory / NARRATION, source, parts,
            has_sound=bool(spec.source.media.audio), ducking=spec.ducking, loudness=spec.loudness,
            progress=run.progress,
        )  # fmt: skip
        return {
            "passes": done.passes, "reached": done.reached, "depth_db": made.depth_db,
            "ratio_lu": made.narration_to_bed_lu,
        }  # fmt: skip

    params = spec.model_dump(mode="json", include={"ducking", "loudness"})
    return run.step(
        "retell_sound", work, version=2, weight=0.15,
        params=cast("Json", {
            **params, "parts": [part.plain for part in parts],
            "has_sound": bool(spec.source.media.audio),
        }),
        inputs=[spec.source.object.sha256, *(v.step.ref(SPEECH).sha256 for v in voiced if v.step)],
    )  # fmt: skip


def papers_step(
    run: JobRun, spec: Retell, script: Sequence[ScriptSentence], parts: Sequence[Part]
) -> Step:
    """Subtitles of the whole, and the script with its citations."""
    words = [word for part in parts for word in shifted(part.words, part.at_s)]
    end_s = parts[-1].at_s + parts[-1].cut.duration_s
    size = target_size(spec.source.media, spec.aspect, spec.height)
    style = spec.style or SubtitleStyle()
    sentences = [one.model_dump(mode="json") for one in script]

    def work(directory: Path) -> Json:
        told = {"language": spec.language, "duration_s": end_s, "sentences": sentences}
        (directory / SCRIPT).write_text(json.dumps(told, ensure_ascii=False, indent=1))
        return write_files(directory, words, style, size, start_s=0.0, end_s=end_s)

    params = {
        "words": [[w.text, w.start_s, w.end_s] for w in words], "size": list(size),
        "style": style.model_dump(mode="json"), "script": sentences, "end_s": end_s,
        "language": spec.language,
    }  # fmt: skip
    return run.step(
        "retell_papers", work, version=2, weight=0.02, params=cast("Json", params), inputs=[]
    )


def timelines_step(run: JobRun, spec: Retell, parts: Sequence[Part], sound: Step) -> Step:
    """The parts of the recording and, beside them, the narrator, for an editor's program."""
    source, rate = spec.source, parts[0].cut.rate
    events = [
        event_of(source.filename, source.object.sha256, source.media, part.cut.start_s,
                 part.cut.frames, rate)
        for part in parts
    ]  # fmt: skip
    narration = None
    if NARRATION in sound.record.files:
        frames = sum(event.frames for event in events)
        stream = AudioStream(index=0, codec="pcm_s16le", sample_rate_hz=RATE_HZ, channels=1,
                             layout="mono")  # fmt: skip
        media = MediaInfo(container="wav", duration_s=float(frames / rate), audio=[stream])
        sha256 = sound.ref(NARRATION).sha256
        narration = event_of(NARRATION, sha256, media, 0.0, frames, rate)
    return timeline_step(
        run, f"{source.filename or 'A recording'}, told again", rate,
        target_size(source.media, spec.aspect, spec.height), events, narration=narration,
        weight=0.01,
    )  # fmt: skip


def whole_step(
    run: JobRun, spec: Retell, parts: Sequence[Part], pictures: Sequence[Step], sound: Step,
    papers: Step,
) -> Step:  # fmt: skip
    """All parts in one file, decoded to its end before anybody else may have it."""
    brief = brief_of(
        parts, spec.source.media, target_size(spec.source.media, spec.aspect, spec.height),
        spec.loudness, drawn=boxes_in(papers) if spec.style else [], known=findings_in(papers),
    )  # fmt: skip

    def work(directory: Path) -> Json:
        strip, target = directory / PICTURE, directory / VIDEO
        strung([step.path(PICTURE) for step in pictures], strip)
        join(strip, sound.path(SOUND), target)
        strip.unlink()
        run.progress(0.5)
        source = run.fetch(spec.source.object)
        return inspected(target, brief, source, spec.source.media, tick=lambda: run.progress(0.5))

    return run.step(
        "retell_whole", work, version=3, weight=0.08, params=brief.plain,
        inputs=[
            *(step.ref(PICTURE).sha256 for step in pictures), sound.ref(SOUND).sha256,
            spec.source.object.sha256,
        ],
    )  # fmt: skip
