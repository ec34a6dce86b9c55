"""A talk made on the spot, to try Cutroom without a recording of one's own.

Two minutes about rivers and cities, spoken by eSpeak NG over six drawn scenes with a subject to
follow and a quiet music bed. Every word's time, every cut and the subject's path are known. The
embedded recogniser does not understand a synthetic voice, so the script comes along as SRT to be
given as the transcript: it is aligned, never passed off as recognised.
"""

import json
import shutil
import sys
import tempfile
import wave
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from math import ceil, cos, pi, sin
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ray_jobs.carried import carried
from ray_jobs.engines.text import TimedWord, joined, phrases
from ray_jobs.engines.voice import speak
from ray_jobs.failures import Failure
from ray_jobs.media.ffmpeg import FFMPEG, ffmpeg

WIDTH, HEIGHT, FRAME_RATE = 1280, 720, 25
RATE_HZ = 22_050
LEAD_S = 0.8
BETWEEN_S = 1.4
TITLE_S = 4.0
SUBJECT_PX = 180
BED_DBFS = -34.0
SPEECH_DBFS = -20.0


class Scene(NamedTuple):
    """A topic: its title, what is said, an ffmpeg source of the background, the subject's path.

    `path` is an ffmpeg expression pair in `t`, seconds since the scene began: the subject's centre
    as shares of the picture.
    """

    title: str
    text: str
    source: str
    path: tuple[str, str]


class Sample(NamedTuple):
    """The video, its script as SRT, and the truth about it."""

    path: Path
    srt_path: Path
    truth_path: Path
    transcript: str
    words: list[TimedWord]
    cuts_s: list[float]
    duration_s: float


SCENES = (
    Scene(
        "Why here?",
        "Why is your city exactly where it is? Almost nobody asks, and yet the answer is hiding in "
        "plain sight. Follow any old street downhill, and sooner or later you meet the water. "
        "London, Paris, Cairo, Shanghai: nearly every great city began beside a river. A river was "
        "a road, a wall, a kitchen and a clock, all at the same time.",
        "gradients=s=320x180:r={rate}:c0=0x0b3954:c1=0x087e8b:c2=0xbfd7ea:nb_colors=3:speed=0.012:seed=4,scale={width}:{height}",
        ("0.15+0.7*t/{length}", "0.55-0.25*sin(PI*t/{length})"),
    ),
    Scene(
        "The price of a bridge",
        "Here is a secret about London. For seventeen hundred years it had only one bridge. Think "
        "about what that means. Every cart, every king and every rumour had to pass through the "
        "same narrow gate. Shops grew on top of it, seven floors high. So the city did not grow "
        "around a square. It grew around a bottleneck.",
        "color=0x7a3e1d:s={size}:r={rate},drawgrid=w=160:h=120:t=6:c=0xe0b070,"
        "scroll=h=0.0016:v=0.0006",
        ("0.5+0.32*sin(2*PI*t/9)", "0.5+0.12*sin(2*PI*t/4.5)"),
    ),
    Scene(
        "The river that caught fire",
        "Can a river burn? On a June morning in 1969, the Cuyahoga did. Sparks from a passing "
        "train fell on the oil, and the water itself went up in flames. The strange thing is that "
        "it had burned a dozen times before. What changed was a photograph. People looked at it "
        "and said: this is not normal. Three years later, America had a law for clean water.",
        "gradients=s=320x180:r={rate}:c0=0x1a0000:c1=0xb3200a:c2=0xff9f1c:nb_colors=3:speed=0.05:"
        "type=radial:seed=11,scale={width}:{height}",
        ("0.8-0.6*t/{length}", "0.6+0.08*sin(2*PI*t/1.7)"),
    ),
    Scene(
        "Seoul digs",
        "Now imagine a mayor who wants to tear down a motorway in the middle of the city. "
        "Impossible? Seoul did exactly that in 2003. Under the concrete lay a forgotten stream. "
        "Everybody predicted chaos. Instead, traffic got better, summers in the valley got three "
        "degrees cooler, and the fish came back by themselves.",
        "life=s=160x90:r={rate}:mold=12:ratio=0.2:life_color=0xd8f3dc:death_color=0x1b4332:"
        "mold_color=0x2d6a4f:seed=7,scale={width}:{height}:flags=neighbor",
        ("0.25+0.25*t/{length}", "0.35+0.3*t/{length}"),
    ),
    Scene(
        "The rule of the bend",
        "Let me give you a rule that works in any old town. Stand where the river bends. The "
        "outer bank is deep: that is where you find the harbour, the money and the noise. The "
        "inner bank is shallow: that is where you find the gardens, the washing and the gossip. "
        "Once you have seen it, you cannot unsee it.",
        "testsrc2=s=320x180:r={rate},hue=h=200:s=0.7,boxblur=6,scale={width}:{height}",
        ("0.5+0.3*cos(2*PI*t/12)", "0.5+0.22*sin(2*PI*t/12)"),
    ),
    Scene(
        "Ask the water",
        "So what should we remember? Cities are not built on rivers. Cities are conversations with "
        "rivers, and some of us stopped listening. The next flood will not ask for our opinion. "
        "But the next generation will ask us one simple question: did you give the water room? "
        "Thank you.",
        "gradients=s=320x180:r={rate}:c0=0x03045e:c1=0x240046:c2=0x7209b7:nb_colors=3:speed=0.02:"
        "type=spiral:seed=3,scale={width}:{height}",
        ("0.3+0.4*t/{length}", "0.62-0.3*t/{length}"),
    ),
)


def make_sample(path: Path, cache: Path) -> Sample:
    """Write the talk to `path` (MP4, 1280x720 at 25 fps), `.srt` and `.truth.json` beside it.

    The work is done once per content, kept in `cache`; a second call copies.

    Raises
    ------
    Failure
        `voice_unavailable` or `font_missing` where the voice or the font is not installed.
    """
    made = cache / f"sample-{_fingerprint()}"
    if not (made / "sample.truth.json").exists():
        cache.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=cache))
        try:
            _make(folder)
            with suppress(OSError):  # another process made it meanwhile
                folder.rename(made)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    srt_path, truth_path = path.with_suffix(".srt"), path.with_suffix(".truth.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, target in (("mp4", path), ("srt", srt_path), ("truth.json", truth_path)):
        shutil.copyfile(made / f"sample.{name}", target)
    truth = json.loads(truth_path.read_text(encoding="utf-8"))
    words = [TimedWord(text, start, end, 1.0) for text, start, end in truth["words"]]
    transcript = srt_path.read_text(encoding="utf-8")
    return Sample(
        path, srt_path, truth_path, transcript, words, truth["cuts_s"], truth["duration_s"]
    )


def _fingerprint() -> str:
    content = Path(__file__).read_bytes() + repr((SCENES, FFMPEG)).encode()
    return sha256(content).hexdigest()[:16]


def _make(folder: Path) -> None:
    speech, words, starts = _spoken()
    duration_s = len(speech) / RATE_HZ
    lengths = [b - a for a, b in zip(starts, [*starts[1:], duration_s], strict=True)]
    _write_sound(folder / "sound.wav", speech)
    _write_picture(folder, lengths, duration_s)
    (folder / "sample.srt").write_text(_srt(words), encoding="utf-8")
    truth = {
        "duration_s": duration_s,
        "words": [[word.text, round(word.start_s, 3), round(word.end_s, 3)] for word in words],
        "cuts_s": [round(start, 3) for start in starts[1:]],
        "topics": [scene.title for scene in SCENES],
        "subject": _subject(starts, lengths),
    }
    (folder / "sample.truth.json").write_text(json.dumps(truth), encoding="utf-8")
    (folder / "sound.wav").unlink()


# ---- sound ---------------------------------------------------------------------------------------


def _spoken() -> tuple[np.ndarray, list[TimedWord], list[float]]:
    """The whole talk as samples, its words, and the start of each scene on a frame's edge."""
    parts: list[np.ndarray] = []
    words: list[TimedWord] = []
    starts: list[float] = []
    at = 0
    for scene in SCENES:
        frames = -(-at * FRAME_RATE // RATE_HZ)
        starts.append(frames / FRAME_RATE)
        begin = round((starts[-1] + LEAD_S) * RATE_HZ)
        spoken = speak(scene.text, rate_wpm=158)
        offset = begin / RATE_HZ
        words += [
            TimedWord(w.text, w.start_s + offset, w.end_s + offset, 1.0) for w in spoken.words
        ]
        parts += [np.zeros(begin - at, np.float32), spoken.samples]
        at = begin + len(spoken.samples)
        parts.append(np.zeros(round(BETWEEN_S * RATE_HZ), np.float32))
        at += len(parts[-1])
    return np.concatenate(parts), words, starts


def _write_sound(path: Path, speech: np.ndarray) -> None:
    level = float(np.sqrt(np.mean(np.square(speech[np.abs(speech) > 0.01]))))
    mixed = speech * (10 ** (SPEECH_DBFS / 20) / level) + _bed(len(speech))
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        out.writeframes((np.clip(mixed, -1, 1) * 32767).astype("<i2").tobytes())


def _bed(length: int) -> np.ndarray:
    """Four chords of sines in turn, each swelling over six seconds."""
    chords = (
        (220.0, 261.6, 329.6),
        (174.6, 220.0, 261.6),
        (261.6, 329.6, 392.0),
        (196.0, 246.9, 293.7),
    )
    time = np.arange(length) / RATE_HZ
    swell = np.sin(pi * (time % 6) / 6) ** 2
    which = (time // 6).astype(int) % len(chords)
    bed = np.zeros(length)
    for number, chord in enumerate(chords):
        tones = sum(np.sin(2 * pi * hz * time) for hz in chord)
        bed += (which == number) * tones / len(chord)
    return (10 ** (BED_DBFS / 20) * 2 * swell * bed).astype(np.float32)


# ---- picture -------------------------------------------------------------------------------------


def _write_picture(folder: Path, lengths: list[float], duration_s: float) -> None:
    font = _font()
    graph = []
    for number, (scene, length) in enumerate(zip(SCENES, lengths, strict=True)):
        (folder / f"title{number}.txt").write_text(scene.title, encoding="utf-8")
        graph.append(_scene_graph(number, scene, length, folder, font))
    joined_scenes = "".join(f"[scene{number}]" for number in range(len(SCENES)))
    graph.append(f"{joined_scenes}concat=n={len(SCENES)}:v=1,format=yuv420p[picture]")
    ffmpeg(
        [
            *("-filter_complex", ";".join(graph)),
            *("-i", str(folder / "sound.wav")),
            *("-map", "[picture]", "-map", "0:a", "-t", f"{duration_s:.3f}"),
            *("-c:v", "libx264", "-preset", "superfast", "-crf", "24", "-g", "50"),
            *("-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-movflags", "+faststart"),
            str(folder / "sample.mp4"),
        ],
        duration_s=duration_s,
    )
    for number in range(len(SCENES)):
        (folder / f"title{number}.txt").unlink()


def _scene_graph(number: int, scene: Scene, length: float, folder: Path, font: Path) -> str:
    """Background, the subject (a ringed disc) on its path, and the title for its first seconds."""
    names = {"size": f"{WIDTH}x{HEIGHT}", "width": WIDTH, "height": HEIGHT, "rate": FRAME_RATE}
    x, y = (axis.format(length=f"{length:.3f}") for axis in scene.path)
    frames = ceil(round(length * FRAME_RATE, 6))
    radius = SUBJECT_PX / 2
    distance = f"hypot(X-{radius}+0.5,Y-{radius}+0.5)"
    disc = (
        f"color=black:s={SUBJECT_PX}x{SUBJECT_PX}:r={FRAME_RATE}:d=0.04,format=rgba,"
        f"geq=r='if(lt({distance},{radius * 0.78}),240,255)'"
        f":g='if(lt({distance},{radius * 0.78}),190+60*sin(Y/9),255)'"
        f":b='if(lt({distance},{radius * 0.78}),60,255)'"
        f":a='255*clip({radius}-{distance},0,1)',loop=-1:1,setpts=N/{FRAME_RATE}/TB"
    )
    title = (
        f"drawtext=fontfile={font}:textfile={folder / f'title{number}.txt'}:fontsize=64:"
        f"fontcolor=white:x=70:y=h-150:box=1:boxcolor=black@0.45:boxborderw=18:"
        f"enable='between(t,0.4,{TITLE_S})'"
    )
    return (
        f"{scene.source.format(**names)},format=yuv420p,trim=end_frame={frames},"
        f"setpts=PTS-STARTPTS[back{number}];{disc}[disc{number}];"
        f"[back{number}][disc{number}]overlay=x='W*({x})-w/2':y='H*({y})-h/2':shortest=1,"
        f"{title},setsar=1[scene{number}]"
    )


def _font() -> Path:
    font = carried("font_roboto", "files/Roboto-Bold.ttf")
    if font is None:
        raise Failure("font_missing", "The sample needs Roboto: pip install font-roboto.")
    return font


def _subject(starts: list[float], lengths: list[float]) -> list[list[float]]:
    """[time, x, y] of the subject's centre twice a second, as shares of the picture."""
    track = []
    for scene, start, length in zip(SCENES, starts, lengths, strict=True):
        x, y = (_path(axis.format(length=length)) for axis in scene.path)
        times = [step / 2 for step in range(int(length * 2))]
        track += [[round(start + t, 3), round(x(t), 4), round(y(t), 4)] for t in times]
    return track


def _path(expression: str) -> Callable[[float], float]:
    """An ffmpeg expression of ours as a function of t; the few names it uses are Python's too."""
    code = compile(expression, "path", "eval")
    names = {"sin": sin, "cos": cos, "PI": pi, "__builtins__": {}}
    return lambda t: float(eval(code, names, {"t": t}))  # noqa: S307 - constants of this module


# ---- script --------------------------------------------------------------------------------------


def _srt(words: list[TimedWord]) -> str:
    blocks = []
    for number, group in enumerate(phrases(words), 1):
        times = f"{_clock(group[0].start_s)} --> {_clock(group[-1].end_s)}"
        blocks.append(f"{number}\n{times}\n{joined(word.text for word in group)}\n")
    return "\n".join(blocks)


def _clock(time_s: float) -> str:
    ms = round(time_s * 1000)
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    make_sample(target, target.parent / ".sample")
