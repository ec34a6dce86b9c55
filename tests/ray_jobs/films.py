"""Small films and clips to render."""

from uuid import uuid4

from ray_jobs.contract import ClipCut, Word

SPEECHLIKE = "aevalsrc=0.3*sin(2*PI*(200+80*sin(9*t))*t)*(0.4+0.6*gt(sin(7*t)\\,0)):s=48000:d=4"
COUNTED = "color=black:s=320x180:r=25:d=4,format=gray,geq=lum='N*2+20',format=yuv420p"


def clip(
    start_s=1.0, end_s=3.0, *, words=(), style=None, track=(), edits=(), title="A clip"
) -> ClipCut:
    return ClipCut(
        clip_id=uuid4(), rank=1, title=title, start_s=start_s, end_s=end_s, words=list(words),
        style=style, crop_track=list(track), edits=list(edits),
    )  # fmt: skip


def said(*texts, start_s=1.2, each_s=0.3) -> list[Word]:
    return [
        Word(
            id=f"w{n}", text=text, start_s=start_s + n * each_s,
            end_s=start_s + (n + 1) * each_s - 0.05, confidence=1,
        )
        for n, text in enumerate(texts)
    ]  # fmt: skip
