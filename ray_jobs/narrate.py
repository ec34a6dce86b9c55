"""Narrate: a text spoken over a clip, as a dry stem and as a mix under which the clip gives way."""

import json
from pathlib import Path
from typing import cast

import numpy as np

from ray_jobs.contract import (
    Artifact,
    Json,
    Narrate,
    Narrated,
    SlotFit,
    SpokenForm,
    Stem,
    Word,
)
from ray_jobs.engines.narrator import engine_of, fitted, voice_for
from ray_jobs.failures import Failure
from ray_jobs.media.cut import Cut, plan_cut
from ray_jobs.media.narration import mixed, placed, read_speech, write_speech
from ray_jobs.media.sound import RATE_HZ, Levelled, clip_samples, cut_samples, deliver_sound
from ray_jobs.run import JobRun, Step

SPEECH, WORDS, DRY, MIX = "speech.wav", "words.json", "narration.m4a", "mix.m4a"


def narrate(run: JobRun, spec: Narrate) -> Narrated:
    """Speak the text, fit it to the clip, and lay it over the clip's sound.

    Raises
    ------
    Failure
        `nothing_to_say`, `voice_unavailable`, or `clip_outside_source`.
    """
    run.plan(1.0)
    if spec.end_s - spec.start_s < 1e-3:
        raise Failure("clip_outside_source", "The clip has no length; choose another span.")
    if not any(character.isalnum() for character in spec.text):
        raise Failure("nothing_to_say", "The text has no word in it; write what shall be said.")
    cut = edited(run, spec)
    duration_s = cut.duration_s if cut else spec.end_s - spec.start_s
    voice = voice_step(run, spec, duration_s)
    dry = dry_step(run, spec, voice, duration_s)
    mix = mix_step(run, spec, voice, cut)
    words = [Word.model_validate(word) for word in cast("list[Json]", voice.value["words"])]
    forms = cast("list[Json]", voice.value["normalised"])
    return Narrated(
        clip_id=spec.clip_id,
        engine=engine_of(spec.speaker),
        voice=cast("str", voice.value["voice"]),
        language=spec.language,
        rate_wpm=cast("int", voice.value["rate_wpm"]),
        text=spec.text,
        spoken_text=cast("str", voice.value["spoken_text"]),
        normalised=[SpokenForm.model_validate(form) for form in forms],
        words=words,
        fit=SlotFit.model_validate(voice.value["fit"]),
        duck_depth_db=cast("float", mix.value["depth_db"]),
        narration_to_bed_lu=cast("float | None", mix.value["ratio_lu"]),
        dry=_stem(dry, DRY, "narration_dry", spec),
        mix=_stem(mix, MIX, "narration_mix", spec),
        artifacts=[
            Artifact(
                kind="narration_words", object=voice.ref(WORDS), filename="narration-words.json",
                clip_id=spec.clip_id,
            )
        ],
    )  # fmt: skip


def edited(run: JobRun, spec: Narrate) -> Cut | None:
    """What of the recording a rendering of the clip keeps; None where nothing is left out."""
    if not any(edit.applied for edit in spec.edits):
        return None
    path, media = run.fetch(spec.source.object), spec.source.media
    return plan_cut(path, media, spec.start_s, spec.end_s, edits=spec.edits)


def voice_step(run: JobRun, spec: Narrate, duration_s: float) -> Step:
    """The speech and the times of its words, from the clip's start."""
    slot_s = duration_s if spec.fit == "clip" else None
    voice = spec.voice or voice_for(spec.language, spec.speaker)

    def work(directory: Path) -> Json:
        run.used(voice=f"{engine_of(spec.speaker)} ({voice})")
        run.progress(0.0)
        speech, rate_wpm, fit = fitted(
            spec.text, language=spec.language, voice=voice, speed=spec.speed, slot_s=slot_s,
            max_stretch=spec.max_stretch, endpoint=spec.speaker, tick=run.progress,
        )  # fmt: skip
        write_speech(speech, directory / SPEECH)
        words = [
            Word(
                id=f"n{number:04d}", text=word.text, start_s=round(word.start_s, 3),
                end_s=round(word.end_s, 3), confidence=1.0,
            ).model_dump(mode="json")
            for number, word in enumerate(speech.words, 1)
        ]  # fmt: skip
        (directory / WORDS).write_text(json.dumps({"words": words}, ensure_ascii=False))
        return {
            "voice": voice,
            "rate_wpm": rate_wpm,
            "spoken_text": speech.spoken_text,
            "normalised": [
                {"written": token.written, "spoken": token.spoken}
                for token in speech.said
                if token.written != token.spoken
            ],
            "words": cast("list[object]", words),  # type: ignore[dict-item]
            "fit": fit.model_dump(mode="json"),
        }

    params = {
        "text": spec.text, "language": spec.language, "voice": voice, "speed": spec.speed,
        "slot_s": slot_s, "max_stretch": spec.max_stretch,
        "speaker": spec.speaker.model_dump() if spec.speaker else None,
    }  # fmt: skip
    return run.step(
        "narration_voice", work, version=1, weight=0.3, params=cast("Json", params), inputs=[]
    )


def dry_step(run: JobRun, spec: Narrate, voice: Step, duration_s: float) -> Step:
    """The voice alone, as long as the clip or as itself, whichever is longer."""

    def work(directory: Path) -> Json:
        speech = read_speech(voice.path(SPEECH), tick=run.tick)
        length = max(len(speech), round(duration_s * RATE_HZ))
        line = placed([(0.0, speech)], length)
        return _levelled(
            deliver_sound(directory / DRY, line, spec.loudness, progress=run.progress), length
        )

    params = {
        "duration_s": duration_s, "loudness": spec.loudness.model_dump(mode="json"),
    }  # fmt: skip
    return run.step(
        "narration_dry", work, version=1, weight=0.3, params=cast("Json", params),
        inputs=[voice.ref(SPEECH).sha256],
    )  # fmt: skip


def mix_step(run: JobRun, spec: Narrate, voice: Step, cut: Cut | None) -> Step:
    """The voice over the clip's own sound; past the clip's end there is only the voice."""

    def work(directory: Path) -> Json:
        speech = read_speech(voice.path(SPEECH), tick=run.tick)
        duration_s = cut.duration_s if cut else spec.end_s - spec.start_s
        length = max(len(speech), round(duration_s * RATE_HZ))
        bed = None
        if spec.source.media.audio:
            path = run.fetch(spec.source.object)
            bed = (
                cut_samples(path, cut, tick=run.tick)
                if cut
                else clip_samples(path, spec.start_s, duration_s, tick=run.tick)
            )
            bed = np.pad(bed, ((0, length - len(bed)), (0, 0)))
        run.progress(0.2)
        words = cast("list[dict[str, float]]", voice.value["words"])
        spans = [(word["start_s"], word["end_s"]) for word in words]
        line = placed([(0.0, speech)], length)
        made = mixed(line, bed, spans, spec.ducking, spec.loudness.target_lufs, tick=run.tick)
        done = deliver_sound(
            directory / MIX, made.sound, spec.loudness,
            progress=lambda share: run.progress(0.3 + 0.7 * share),
        )  # fmt: skip
        value = {"depth_db": made.depth_db, "ratio_lu": made.narration_to_bed_lu}
        return {**value, **_levelled(done, length)}

    params = {
        "start_s": spec.start_s, "end_s": spec.end_s, "cut": cut.plain if cut else None,
        "has_sound": bool(spec.source.media.audio),
        "ducking": spec.ducking.model_dump(mode="json"),
        "loudness": spec.loudness.model_dump(mode="json"),
    }  # fmt: skip
    return run.step(
        "narration_mix", work, version=1, weight=0.4, params=cast("Json", params),
        inputs=[voice.ref(SPEECH).sha256, voice.ref(WORDS).sha256, spec.source.object.sha256],
    )  # fmt: skip


def _levelled(done: Levelled, length: int) -> Json:
    return {
        "duration_s": length / RATE_HZ,
        "loudness_lufs": done.loudness_lufs,
        "true_peak_dbtp": done.true_peak_dbtp,
        "loudness_passes": done.passes,
        "loudness_reached": done.reached,
    }


def _stem(step: Step, name: str, kind: str, spec: Narrate) -> Stem:
    filename = kind.replace("_", "-") + Path(name).suffix
    sound = Artifact(kind=kind, object=step.ref(name), filename=filename, clip_id=spec.clip_id)
    measured = {name: step.value[name] for name in Stem.model_fields if name != "sound"}
    return Stem.model_validate({"sound": sound, **measured})
