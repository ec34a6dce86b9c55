"""Short films whose shot boundaries are known because they were made so."""

from pathlib import Path

from ray_jobs.media.ffmpeg import ffmpeg

RATE_HZ = 25
SIZE = "320x180"
Spans = list[tuple[float, float]]
"""First and last frame between which a boundary lies, for each boundary."""


def made(directory: Path) -> dict[Path, Spans]:
    """Write the films into a directory; with each the spans of its boundaries in frames."""
    films = (
        _similar, _dissolves, _fades, _flashes, _pan, _slow_fades, _shaken, _passing, _explosion,
        _text,
    )  # fmt: skip
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


def _slow_fades(path: Path) -> Spans:
    """Out of black over 2 s and into it again: the ends of a recording part nothing."""
    _write(path, [_texture(18, 5.0)], "fade=in:d=2,fade=out:st=3:d=1.6")
    return []


def _shaken(path: Path) -> Spans:
    """A camera held in an unsteady hand, swinging and trembling, and one true cut."""
    x = "160+60*sin(5*t)+12*sin(31*t)"
    crop = f"crop=320:180:x='{x}':y='90+25*sin(9*t)'"
    wide = [_texture(19, 2.0, size="720x360"), "smptehdbars=s=720x360:r={1}:d=2"]
    _write(path, wide, f"[0][1]concat=n=2,{crop}")
    return [(49.0, 51.0)]


def _passing(path: Path) -> Spans:
    """Something bright that drives through a still picture, in and out within a second."""
    _write(
        path,
        [_texture(22, 3.0), "color=white:s=110x90:r={1}:d=3"],
        "[0][1]overlay=x='-110+430*(t-1)':y=60:shortest=1",
    )
    return []


def _explosion(path: Path) -> Spans:
    """Light that bursts, burns for a quarter of a second and goes out."""
    burst = "if(between(n\\,40\\,46)\\,0.35\\,0)"
    _write(path, [_texture(23, 3.2)], f"eq=brightness='{burst}':eval=frame")
    return []


def _text(path: Path) -> Spans:
    """Lines of white on black that give way to others: a small change, and all there is."""
    grid = "drawgrid=w=%d:h=%d:t=%d:c=white,crop=200:60,pad=320:180:60:60"
    lines = f"color=black:s={{0}}:r={{1}}:d=1.6,{grid}"
    _write(path, [lines % (40, 30, 3), lines % (17, 19, 4)], "[0][1]concat=n=2")
    return [(39.0, 41.0)]


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
