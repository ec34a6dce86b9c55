"""Black bars are found and not shown; darkness is not taken for them."""

import av
import numpy as np
import pytest

from ray_jobs.contract import CropPoint, IngestLimits
from ray_jobs.media.bars import active_area
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.probe import probe
from ray_jobs.media.reframe import Size, crop_data, crop_path, laid_out, shown_ratio, target_size
from tests.ray_jobs.films import clip

FILM = "testsrc2=s=320x180:r=5:d=8"
LETTERBOX = "testsrc2=s=320x136:r=5:d=8,pad=320:180:0:22:black"
PILLARBOX = "testsrc2=s=240x180:r=5:d=8,pad=320:180:40:0:black"
WINDOWBOX = "testsrc2=s=240x136:r=5:d=8,pad=320:180:40:22:black"
ONE_SIDE = "testsrc2=s=320x150:r=5:d=8,pad=320:180:0:30:black"
LATE_WORDS = "color=black:s=320x180:r=5:d=8,drawbox=x=100:y=80:w=120:h=20:color=white:t=fill"
CAPTIONED = f"{LETTERBOX},drawbox=x=100:y=165:w=120:h=8:color=white:t=fill:enable='lt(mod(t,4),1)'"
DARK = "color=black:s=320x180:r=5:d=8"
OPENING = f"{LETTERBOX},drawbox=color=white:t=fill:enable='lt(t,0.2)'"


@pytest.fixture
def film(tmp_path):
    def make(source):
        path = tmp_path / "film.mp4"
        ffmpeg(["-f", "lavfi", "-i", source, "-c:v", "libx264", "-pix_fmt", "yuv420p", str(path)])
        return path, probe(path, IngestLimits())

    return make


@pytest.mark.parametrize(
    ("source", "area"),
    [
        (LETTERBOX, (0, 22, 320, 136)), (PILLARBOX, (40, 0, 240, 180)),
        (WINDOWBOX, (40, 22, 240, 136)), (OPENING, (0, 22, 320, 136)),
    ],
)  # fmt: skip
def test_bars_are_found_and_a_little_is_taken_off_their_soft_edge(film, source, area):
    x, y, w, h = active_area(*film(source))
    found = np.array([x * 320, y * 180, (x + w) * 320, (y + h) * 180])
    wanted = np.array([area[0], area[1], area[0] + area[2], area[1] + area[3]])
    inward = (found - wanted) * [1, 1, -1, -1]
    assert (inward >= -0.1).all()
    assert (inward <= 4).all()


@pytest.mark.parametrize("source", [FILM, ONE_SIDE, LATE_WORDS, CAPTIONED, DARK])
def test_what_is_no_pair_of_bars_is_left_alone(film, source):
    assert active_area(*film(source)) is None


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "ratio"),
    [("sintel_trailer_480p.mp4", 2.35), ("chaplin_pd.mp4", 1.36),
     ("hamilton_whitehouse_10s.mp4", 16 / 9), ("apollo15_hammer_feather.webm", 4 / 3)],
)  # fmt: skip
def test_films_have_the_shape_they_were_made_in(media, name, ratio):
    path = media / "video" / name
    found = probe(path, IngestLimits())
    boxed = found.model_copy(update={"active": active_area(path, found)})
    assert float(shown_ratio(boxed)) == pytest.approx(ratio, rel=0.03)


# ---- what is shown -------------------------------------------------------------------------------


@pytest.fixture
def windowed(film):
    path, media = film(WINDOWBOX)
    return path, media.model_copy(update={"active": (0.125, 0.125, 0.75, 0.75)})


def test_the_source_shape_is_that_of_the_picture_within(windowed):
    assert target_size(windowed[1], "source", 1080) == Size(240, 136)


def test_a_track_in_shares_of_the_source_stays_so(windowed):
    _, media = windowed
    times_s = np.arange(0, 4, 0.2)
    track = [CropPoint(time_s=t, x=0.5 if t < 2 else 0.7, y=0.5, cut=t == 2) for t in range(4)]
    frame, layout, _ = laid_out(media, Size(90, 160), "track", track)
    data = crop_data(frame, layout, crop_path(track, frame, times_s), times_s)
    (path,) = data["paths"]
    assert path[0]["x"] == pytest.approx(0.5, abs=0.01)
    assert path[-1]["x"] == pytest.approx(0.7, abs=0.01)
    # Nine by sixteen of the height within, as a share of the whole width.
    assert data["window"] == pytest.approx([136 * 9 / 16 / 320, 136 / 180], abs=0.02)


@pytest.mark.parametrize("layout", ["track", "fit", "split"])
def test_no_bar_is_in_a_rendered_clip(recorded, delivered, layout):
    source = recorded(video="color=0x909090:s=240x136:r=25:d=4,pad=320:180:40:22:black")
    boxed = source.media.model_copy(update={"active": (0.125, 0.125, 0.75, 0.75)})
    track = [CropPoint(time_s=t, x=0.1 + 0.2 * t, y=0.5) for t in range(5)]
    _, made, path = delivered(
        source.model_copy(update={"media": boxed}), clip(0.0, 4.0, track=track),
        aspect="9:16", height=320, layout=layout,
    )  # fmt: skip
    assert made.layout == layout
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    # The backdrop of a whole picture is that picture, darker.
    assert min(int(picture[:320, :180].min()) for picture in pictures) > 70
