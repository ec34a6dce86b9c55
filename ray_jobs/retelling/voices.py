"""A script's narrated sentences, each spoken in a step of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

from ray_jobs.contract import Json, Retell, ScriptSentence
from ray_jobs.engines.narrator import Speech, engine_of, say_all, voice_for, wpm
from ray_jobs.media.narration import write_speech
from ray_jobs.run import JobRun, Step

SPEECH = "speech.wav"


class Voiced(NamedTuple):
    """A sentence and, where it is narrated, the step that spoke it."""

    sentence: ScriptSentence
    step: Step | None

    @property
    def speech_s(self) -> float | None:
        return cast("float", self.step.value["duration_s"]) if self.step else None


def _voice(spec: Retell) -> str:
    return spec.voice or voice_for(spec.language, spec.speaker)


def say(run: JobRun, spec: Retell, texts: Sequence[str]) -> list[Speech]:
    return say_all(
        texts, language=spec.language, voice=_voice(spec), rate_wpm=wpm(spec.speed),
        endpoint=spec.speaker, tick=run.progress,
    )  # fmt: skip


def manner(spec: Retell) -> Json:
    """What decides how a text is spoken."""
    return {
        "language": spec.language, "voice": _voice(spec), "rate_wpm": wpm(spec.speed),
        "speaker": spec.speaker.model_dump(mode="json") if spec.speaker else None,
    }  # fmt: skip


def voice_step(run: JobRun, spec: Retell, sentence: ScriptSentence, count: int) -> Step:
    """One sentence's speech; nothing else decides it than its text and the voice."""

    def work(directory: Path) -> Json:
        run.used(voice=f"{engine_of(spec.speaker)} ({_voice(spec)})")
        (speech,) = say(run, spec, [sentence.text])
        write_speech(speech, directory / SPEECH)
        words = [[w.text, round(w.start_s, 3), round(w.end_s, 3)] for w in speech.words]
        return cast("Json", {"duration_s": round(speech.duration_s, 4), "words": words})

    return run.step(
        "retell_voice", work, version=1, weight=0.1 / count,
        params=cast("Json", {"text": sentence.text, **manner(spec)}), inputs=[],
    )  # fmt: skip
