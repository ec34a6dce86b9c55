"""Short films whose shot boundaries are known because they were made so."""

from pathlib import Path

from ray_jobs.media.ffmpeg import ffmpeg

RATE_HZ = 25
SIZE = "320x180"
Spans = list[tuple[float, float]]
"""First and last frame between which a boundary lies, for each boundary."""


def made(directory: Path) -> dict[Path, Spans]:
    """Write the films into a directory; with each the spans of its boundaries in frames."""
    films = (_similar, _dissolves, _fades, _flashes, _pan)
    return {(path := directory / f"{film.__name__[1:]}.mp4"): film(path) for film in films}


def _similar(path: Path) -> Spans:
    """Hard cuts between textures of one brightness and one histogram."""
    inputs = [_texture(seed, 2.0) for seed in range(1, 6)]
    _write(path, inputs, "[0][1][2][3][4]concat=n=5")
    return [(50.0 * k - 1, 50.0 * k + 1) for k in range(1, 5)]


def _dissolves(path: Path) -> Spans:
    """Dissolves of 0.6 s, in the middle of each of which a boundary is meant to lie."""
    inputs = [_texture(7, 3.0), "smptehdbars=s={}:r={}:d=3", _texture(9, 3.0)]
    _write(
        path,
        inputs,
        "[0][1]xfade=fade:duration=0.6:offset=2[a];[a][2]xfade=fade:duration=0.6:offset=4.2",
    )
    return [(45.0, 70.0), (100.0, 125.0)]


def _fades(path: Path) -> Spans:
    """Out into black and in again."""
    _write(
        path,
        [_texture(11, 3.0), _texture(12, 3.0)],
        "[0]fade=out:st=2.6:d=0.4[a];[1]fade=in:d=0.4[b];[a][b]concat=n=2",
    )
    return [(60.0, 90.0)]


def _flashes(path: Path) -> Spans:
    """Single white frames of a photographer, twice in a row, and one true cut."""
    white = "lutyuv=y=235:u=128:v=128:enable='eq(n,30)+eq(n,34)+eq(n,90)'"
    _write(path, [_texture(14, 2.4), _texture(15, 2.4)], f"[0][1]concat=n=2,{white}")
    return [(59.0, 61.0)]


def _pan(path: Path) -> Spans:
    """A camera that swings over one scene: nothing is to be found."""
    _write(path, [_texture(17, 4.0, size="640x180")], "crop=320:180:x='80*t':y=0")
    return []


def _texture(seed: int, length_s: float, *, size: str = SIZE) -> str:
    look = "octaves=4:persistence=0.6:xscale=6:yscale=6:tscale=0.1:random_mode=seed"
    return f"perlin=s={size}:r={RATE_HZ}:{look}:seed={seed},trim=duration={length_s}"


def _write(path: Path, inputs: list[str], graph: str) -> None:
    sources = [
        part
        for source in inputs
        for part in ("-f", "lavfi", "-i", source.format(SIZE, RATE_HZ) + ",format=yuv420p")
    ]
    encoding = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "26", "-pix_fmt", "yuv420p"]
    ffmpeg([*sources, "-filter_complex", graph, "-r", str(RATE_HZ), *encoding, str(path)])
