"""Child process around eSpeak NG: speech with its events, and pronunciations in IPA.

Only this process loads the library (GPL-3.0-or-later); ask it through `child.ask_all`.
"""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import espeakng_loader

from ray_jobs.contract import Json
from ray_jobs.engines.child import serve

# Values of speak_lib.h.
SYNCHRONOUS = 2
PHONEME_EVENTS_IN_IPA = 0x0001 | 0x0002
DONT_EXIT = 0x8000
POS_CHARACTER = 1
CHARS_UTF8 = 1
END_PAUSE = 0x1000
RATE = 1
PHONEMES_IPA = 0x02
LIST_TERMINATED, WORD, PHONEME = 0, 1, 7


class Event(ctypes.Structure):
    """espeak_EVENT; `id` is a union, read here as its eight bytes of text."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event)
)


class Recorder:
    """Keeps the sound and the events that the synthesiser delivers."""

    def __init__(self) -> None:
        self.sound = bytearray()
        self.events: list[list[Any]] = []
        self.callback = CALLBACK(self._take)

    def _take(self, wave: Any, count: int, events: Any) -> int:
        if wave and count > 0:
            self.sound += ctypes.string_at(wave, 2 * count)
        at = 0
        while events[at].type != LIST_TERMINATED:
            event = events[at]
            if event.type == WORD:
                self.events.append(["word", event.audio_position, event.text_position - 1])
            elif event.type == PHONEME:
                name = event.id.decode("utf-8", "replace")
                self.events.append(["phone", event.audio_position, name])
            at += 1
        return 0


@cache
def _library() -> tuple[Any, int, Recorder]:
    """The library, its sample rate and the recorder it delivers to (both live for good)."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = str(espeakng_loader.get_data_path()).encode()
    options = PHONEME_EVENTS_IN_IPA | DONT_EXIT
    rate_hz = library.espeak_Initialize(SYNCHRONOUS, 0, data, options)
    if rate_hz <= 0:
        raise RuntimeError("eSpeak NG does not start")
    recorder = Recorder()
    library.espeak_SetSynthCallback(recorder.callback)
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    return library, rate_hz, recorder


def answer(request: Json) -> dict[str, Any]:
    """Answer `{"do": "speak" | "phonemes", "voice", …}`; `{"error"}` for a voice it lacks."""
    library, rate_hz, recorder = _library()
    if library.espeak_SetVoiceByName(str(request["voice"]).encode()) != 0:
        return {"error": "no_voice"}
    if request["do"] == "phonemes":
        words: Any = request["words"]
        return {"ipa": [_phonemes(library, word) for word in words]}
    recorder.sound.clear()
    recorder.events.clear()
    library.espeak_SetParameter(RATE, int(str(request["rate_wpm"])), 0)
    text = str(request["text"]).encode() + b"\0"
    flags = CHARS_UTF8 | END_PAUSE
    library.espeak_Synth(text, len(text), 0, POS_CHARACTER, 0, flags, None, None)
    library.espeak_Synchronize()
    Path(str(request["pcm"])).write_bytes(recorder.sound)
    return {"rate_hz": rate_hz, "events": list(recorder.events)}


def _phonemes(library: Any, word: str) -> str:
    buffer = ctypes.create_string_buffer(word.encode() + b"\0")
    pointer = ctypes.c_void_p(ctypes.addressof(buffer))
    clauses = []
    while pointer.value:
        clause = library.espeak_TextToPhonemes(ctypes.byref(pointer), CHARS_UTF8, PHONEMES_IPA)
        clauses.append((clause or b"").decode("utf-8", "replace"))
    return " ".join(clauses).strip()


if __name__ == "__main__":
    serve(answer)
