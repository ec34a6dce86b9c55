"""Exports: picture and sound in step, level, picture, subtitles, and the same bytes again."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.quality import Row
from benchmarks.quality.loudness import ebur128
from benchmarks.quality.words import aligned
from benchmarks.workshop import Workshop, workshop
from ray_jobs.contract import GivenTranscript, Source
from ray_jobs.media.audio import read_audio
from ray_jobs.media.ffmpeg import ffmpeg

TITLE = "Exports"
RATE_HZ = 48_000
HOUR_S = 3600
CUTS_S = ((2.0, 17.5), (1801.37, 1822.0), (2693.9, 2710.2), (3581.0, 3599.0))
PICTURES = (("9:16", 1920), ("1:1", 1080), ("16:9", 1080))
TARGET_LUFS, TOLERANCE_LU, CEILING_DBTP, VMAF = -14.0, 0.5, -1.0, 93.0
NO_LOSS = 1
"""The quality of a picture that can stand for the original; 0 is another profile of H.264."""
SOUNDS = (
    "composed/talk_a.mp4", "composed/dialogue_c.mkv", "video/sintel_trailer_480p.mp4",
    "video/tears_of_steel_battle.webm", "video/hamilton_whitehouse_10s.mp4",
    "music/paulallen_song.mp3", "speech/denoise_noisy_snr0.wav", "surround/flac_5.1.flac",
)  # fmt: skip
QUICK: dict[str, Any] = {"height": 180, "aspect": "source", "speed": "ultrafast"}


def rows(media: Path) -> Iterator[Row]:
    with workshop() as shop:
        yield from _in_step(shop)
        yield from _levels(shop, media)
        talk = shop.source(media / "composed" / "talk_a.mp4")
        yield from _picture(shop, talk)
        yield _subtitles(shop, media, talk)
        yield _again(media)


# ---- picture and sound in step -------------------------------------------------------------------


def _in_step(shop: Workshop) -> Iterator[Row]:
    """A clapper every ten seconds of an hour whose frame rate changes all the time."""
    path = clapper(shop.folder / "clapper.mkv", HOUR_S)
    source = shop.source(path)
    step, place, beats = 0.0, 0.0, 0
    for start_s, end_s in CUTS_S:
        made, cut = shop.export(source, start_s, end_s, **QUICK)
        numerator, denominator = map(int, made.frame_rate.split("/"))
        frame_s = denominator / numerator
        seen, heard = np.array(flashes(cut)), np.array(beeps(cut))
        wanted = np.arange(5.0, HOUR_S, 10.0) - start_s
        wanted = wanted[(wanted > 0) & (wanted < end_s - start_s - 0.1)]
        if not len(seen) == len(heard) == len(wanted):
            raise AssertionError(f"{len(seen)} flashes, {len(heard)} beeps of {len(wanted)}")
        beats += len(seen)
        step = max(step, float(np.abs(seen - heard).max() / frame_s))
        place = max(place, float(np.abs(seen - wanted).max() / frame_s))
    where = f"a generated hour with changing frame rate, {len(CUTS_S)} cuts, {beats} beats"
    yield Row("flash against beep after the cut: largest offset", "frames", step, where,
              target="≤ 1", met=step <= 1)  # fmt: skip
    yield Row("flash against its time in the recording: largest offset", "frames", place, where,
              target="≤ 1", met=place <= 1)  # fmt: skip


def clapper(path: Path, duration_s: float) -> Path:
    """Flash and beep of 80 ms at 5, 15, 25 ... s; 25 and 8.3 frames a second in turn."""
    beat = "lt(mod(t+5\\,10)\\,0.08)"
    kept = f"lt(mod(t\\,20)\\,10)+not(mod(n\\,3))+{beat}"
    ffmpeg([
        "-f", "lavfi", "-i", f"color=black:s=160x90:r=25:d={duration_s}",
        "-f", "lavfi", "-i", f"aevalsrc='0.7*sin(2*PI*1000*t)*{beat}':s={RATE_HZ}:d={duration_s}",
        "-vf", f"drawbox=color=white:t=fill:enable='{beat}',select='{kept}'",
        "-fps_mode", "vfr", "-c:v", "libx264", "-preset", "ultrafast", "-g", "250",
        "-c:a", "flac", str(path),
    ])  # fmt: skip
    return path


def flashes(path: Path) -> list[float]:
    """When the picture turns bright, in seconds."""
    found, bright = [], False
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            now = frame.reformat(format="gray").to_ndarray().mean() > 128
            if now and not bright:
                found.append(float(frame.time or 0.0))
            bright = bool(now)
    return found


def beeps(path: Path) -> list[float]:
    """When a sound sets in after a silence, in seconds."""
    loud = np.abs(read_audio(path, rate_hz=RATE_HZ, channels=1).reshape(-1))
    at = np.flatnonzero(loud > 0.3 * loud.max())
    return [float(at[0]) / RATE_HZ, *(at[1:][np.diff(at) > RATE_HZ // 2] / RATE_HZ)]


# ---- level ---------------------------------------------------------------------------------------


def _levels(shop: Workshop, media: Path) -> Iterator[Row]:
    """Deliverables measured by ffmpeg, not by the meter that made them."""
    ours, peer = [], []
    for name in SOUNDS:
        source = shop.source(media / name)
        end_s = min(12.0, source.media.duration_s)
        _, made = shop.export(source, 0.0, end_s, **QUICK)
        ours.append(ebur128(made))
        peer.append(ebur128(loudnorm(media / name, end_s, shop.folder / "loudnorm.m4a")))
    where = f"{len(SOUNDS)} recordings, measured by ffmpeg ebur128"

    def good(one: dict[str, float]) -> bool:
        off = abs(one["I"] - TARGET_LUFS)
        return round(off, 1) <= TOLERANCE_LU and one["TP"] <= CEILING_DBTP

    def off(all_of: list[dict[str, float]]) -> float:
        return max(abs(one["I"] - TARGET_LUFS) for one in all_of)

    name = "ffmpeg loudnorm, one pass"
    yield Row(f"loudness of deliverables: largest error of {TARGET_LUFS:g} LUFS", "LU", off(ours),
              where, {name: off(peer)}, f"≤ {TOLERANCE_LU:g}",
              met=round(off(ours), 1) <= TOLERANCE_LU)  # fmt: skip
    peak = max(one["TP"] for one in ours)
    yield Row("true peak of deliverables: highest", "dBTP", peak, where,
              {name: max(one["TP"] for one in peer)}, f"≤ {CEILING_DBTP:g}",
              met=peak <= CEILING_DBTP)  # fmt: skip
    share = 100 * sum(map(good, ours)) / len(ours)
    yield Row("deliverables within both", "%", share, where,
              {name: 100 * sum(map(good, peer)) / len(peer)}, "100", met=share == 100)  # fmt: skip


def loudnorm(path: Path, end_s: float, target: Path) -> Path:
    graph = f"loudnorm=I={TARGET_LUFS}:TP={CEILING_DBTP}"
    ffmpeg(["-t", f"{end_s}", "-i", str(path), "-map", "0:a:0", "-af", graph, "-ar", "48000",
            "-ac", "2", "-c:a", "aac", "-b:a", "192k", str(target)])  # fmt: skip
    return target


# ---- picture -------------------------------------------------------------------------------------


def _picture(shop: Workshop, talk: Source) -> Iterator[Row]:
    """VMAF against the same clip rendered almost without loss, so that encoding alone is judged."""
    for aspect, height in PICTURES:
        same: dict[str, Any] = {"aspect": aspect, "height": height, "clip": {"style": None}}
        _, made = shop.export(talk, 14.0, 20.0, **same)
        _, exact = shop.export(talk, 14.0, 20.0, crf=NO_LOSS, **same)
        score = vmaf(made, exact)
        yield Row(f"VMAF of {aspect} at {height} lines, default quality", "", score,
                  "composed/talk_a.mp4", target=f"≥ {VMAF:g}", met=score >= VMAF)  # fmt: skip


def vmaf(path: Path, reference: Path) -> float:
    """Mean VMAF of a file against another of the same size and frames (libvmaf's default model)."""
    graph = "[0:v]setpts=PTS-STARTPTS[a];[1:v]setpts=PTS-STARTPTS[b];[a][b]libvmaf=n_threads=2"
    said = ffmpeg(["-i", str(path), "-i", str(reference), "-lavfi", graph, "-f", "null", "-"])
    found = re.search(r"VMAF score:\s*([\d.]+)", said)
    if not found:
        raise AssertionError(f"libvmaf said nothing: {said[-300:]}")
    return float(found.group(1))


# ---- subtitles and bytes -------------------------------------------------------------------------


def _subtitles(shop: Workshop, media: Path, talk: Source) -> Row:
    path = media / "composed" / "talk_a.mp4"
    given = GivenTranscript(format="srt", text=path.with_suffix(".srt").read_text("utf-8"))
    words = aligned(path, given)
    errors = cues = 0
    for start_s in range(0, 120, 20):
        inside = [w for w in words if start_s <= w.start_s and w.end_s <= start_s + 20]
        made, _ = shop.export(talk, start_s, start_s + 20.0, clip={"words": inside}, **QUICK)
        errors += sum(finding.severity == "error" for finding in made.findings)
        cues += len(inside)
    return Row(f"subtitle findings of severity error ({cues} words)", "", float(errors),
               "composed/talk_a.mp4, six clips", target="0", met=errors == 0)  # fmt: skip


def _again(media: Path) -> Row:
    """The same export on two nodes that share nothing."""
    hashes = set()
    for _ in range(2):
        with workshop() as shop:
            source = shop.source(media / "composed" / "talk_a.mp4")
            made, _ = shop.export(source, 60.0, 66.0, **QUICK)
            hashes.add(made.video.object.sha256)
    return Row("same order, same bytes", "%", 100.0 * (len(hashes) == 1), "composed/talk_a.mp4",
               target="100", met=len(hashes) == 1)  # fmt: skip
