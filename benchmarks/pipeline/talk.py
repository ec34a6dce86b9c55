"""Recordings of a talk, made the same everywhere: three views, cut every five seconds."""

import tempfile
from pathlib import Path

from ray_jobs.media.ffmpeg import ffmpeg

VIEW_S, VIEWS, RATE_HZ = 5, 3, 25
FRAMES = VIEW_S * RATE_HZ


def talk(minutes: int, height: int = 1080) -> tuple[Path, list[int]]:
    """16:9 H.264 at 25 Hz with its cuts' frames; made once and kept among temporary files."""
    folder = Path(tempfile.gettempdir()) / "cutroom-benchmarks"
    folder.mkdir(exist_ok=True)
    path = folder / f"talk-{minutes}-{height}.mp4"
    if not path.exists():
        turns = minutes * 60 // (VIEW_S * VIEWS)
        loop = ["-stream_loop", str(turns - 1), "-i", str(_views(folder, height)), "-c", "copy"]
        fresh = path.with_name(f"fresh-{path.name}")
        ffmpeg([*loop, str(fresh)])
        fresh.rename(path)
    return path, list(range(FRAMES, minutes * 60 * RATE_HZ, FRAMES))


def _views(folder: Path, height: int) -> Path:
    """One turn of the views: a still room, a speaker who sways before it, a camera's grain."""
    path = folder / f"talk-{height}.mp4"
    if path.exists():
        return path
    inputs, graph = [], ""
    for view in range(VIEWS):
        room = f"perlin=s=480x270:r={RATE_HZ}:octaves=4:xscale=6:yscale=6:random_mode=seed"
        skin = (
            f"gradients=s=420x640:r={RATE_HZ}:n=2:speed=0.003:seed={view}:c0=0xd0a080:c1=0x804030"
        )
        inputs += ["-f", "lavfi", "-i", f"{room}:seed={view},trim=end_frame=1"]
        inputs += ["-f", "lavfi", "-i", f"{skin},trim=end_frame={FRAMES},format=yuv420p"]
        graph += (
            f"[{2 * view}]loop=loop=-1:size=1,trim=end_frame={FRAMES},setpts=N/{RATE_HZ}/TB,"
            f"format=yuv420p,eq=brightness={0.08 * view},scale=1920:1080:flags=bicubic[r{view}];"
            f"[r{view}][{2 * view + 1}]overlay=x='{400 + 300 * view}+18*sin(2*t)':"
            f"y='420+10*sin(3.3*t)',noise=alls=3:allf=t[v{view}];"
        )
    graph += "".join(f"[v{view}]" for view in range(VIEWS)) + f"concat=n={VIEWS},scale=-2:{height}"
    fresh = path.with_name(f"fresh-{path.name}")
    encoding = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p"]
    ffmpeg([*inputs, "-filter_complex", graph, *encoding, str(fresh)])
    fresh.rename(path)
    return path
