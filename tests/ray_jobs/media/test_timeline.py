"""Timelines, read back by the programs' own rules."""

from fractions import Fraction
from xml.etree import ElementTree as ET

import opentimelineio as otio
import pytest
from opentimelineio.opentime import RationalTime

from ray_jobs.contract import AudioStream, MediaInfo
from ray_jobs.media.reframe import Size
from ray_jobs.media.timeline import FILES, event_of, write_timelines
from tests.ray_jobs.films import clip

NAME = "a talk & [b] 'c' ä.mp4"


def media(rate, *, vfr=False, sound=True):
    stream = AudioStream(index=1, codec="aac", sample_rate_hz=48000, channels=2, layout="stereo")
    return MediaInfo(
        container="mp4", duration_s=600, frame_rate=str(rate) if "/" in str(rate) else f"{rate}/1",
        vfr=vfr, width=640, height=360, audio=[stream] if sound else [],
    )  # fmt: skip


@pytest.fixture(params=["25", "30000/1001", "24000/1001", "60"])
def written(request, tmp_path):
    """An intro of 50 frames, then 163 from frame 1033 on."""
    rate = Fraction(request.param)
    events = [
        event_of("intro", "b" * 64, media(rate, sound=False), 0.0, 50, rate),
        event_of(NAME, "a1" * 32, media(rate), float(1033 / rate), 163, rate),
    ]
    write_timelines(tmp_path, "Rivers & <cities>", rate, Size(608, 1080), events)
    return rate, tmp_path


def test_opentimelineio_names_the_very_frames(written):
    rate, directory = written
    timeline = otio.adapters.read_from_file(str(directory / FILES["timeline_otio"]))
    video, sound = timeline.tracks
    intro, talk = video
    assert talk.source_range.start_time == RationalTime(1033, float(rate))
    assert talk.source_range.duration == RationalTime(163, float(rate))
    assert talk.name == NAME
    assert talk.media_reference.available_range.duration.value == round(600 * rate)
    assert isinstance(sound[0], otio.schema.Gap)
    assert sound[1].source_range == talk.source_range
    assert intro.source_range.duration.value == 50


def test_the_edl_names_the_very_frames(written):
    rate, directory = written
    text = (directory / FILES["timeline_edl"]).read_text()
    (track,) = otio.adapters.read_from_string(text, "cmx_3600", rate=float(rate)).video_tracks()
    assert [one.source_range.start_time.value for one in track] == [0, 1033]
    assert [one.source_range.duration.value for one in track] == [50, 163]
    assert "A1A1A1A1" in text


def test_fcpxml_names_the_very_frames_as_exact_fractions(written):
    rate, directory = written
    root = ET.parse(directory / FILES["timeline_fcpxml"]).getroot()
    intro, talk = root.iter("asset-clip")

    def frames(element, name):
        return Fraction(element.get(name).removesuffix("s")) * rate

    assert [frames(talk, name) for name in ("offset", "start", "duration")] == [50, 1033, 163]
    assert frames(intro, "duration") == 50
    assert frames(root.find(".//sequence"), "duration") == 213
    known = {one.get("id") for one in root.find("resources")}
    used = {one.get("ref") for one in root.iter("asset-clip")}
    used |= {one.get("format") for one in root.iter() if one.get("format")}
    assert used <= known
    assert root.find(".//asset[@name='intro']").get("hasAudio") == "0"


@pytest.fixture
def narrated(tmp_path):
    """Two parts of a talk, 25 and 50 frames, and a narrator beside them."""
    rate = Fraction(25)
    parts = [event_of(NAME, "a1" * 32, media("25"), at_s, frames, rate)
             for at_s, frames in ((4.0, 25), (1.0, 50))]  # fmt: skip
    voice = media("25").model_copy(
        update={"duration_s": 3.0, "frame_rate": None, "width": None, "height": None}
    )
    narration = event_of("narration.wav", "c" * 64, voice, 0.0, 75, rate)
    write_timelines(tmp_path, "Told again", rate, Size(640, 360), parts, narration)
    return tmp_path


def test_a_narrator_has_a_track_of_its_own(narrated):
    timeline = otio.adapters.read_from_file(str(narrated / FILES["timeline_otio"]))
    picture, sound, voice = timeline.tracks
    assert [one.source_range.start_time.value for one in picture] == [100, 25]
    assert [one.source_range for one in sound] == [one.source_range for one in picture]
    (said,) = voice
    assert (voice.kind, said.name, said.duration().value) == ("Audio", "narration.wav", 75)
    edl = (narrated / FILES["timeline_edl"]).read_text()
    assert "00:00:04:00 00:00:05:00 00:00:00:00 00:00:01:00" in edl


def test_a_narrator_is_connected_where_the_first_part_begins(narrated):
    root = ET.parse(narrated / FILES["timeline_fcpxml"]).getroot()
    first, _ = root.findall(".//spine/asset-clip")
    (voice,) = root.findall(".//spine/asset-clip/asset-clip")
    assert voice in list(first)
    assert (voice.get("lane"), voice.get("offset"), voice.get("duration")) == ("-1", "4s", "3s")
    assert root.find(".//asset[@name='narration.wav']").get("hasVideo") == "0"


def test_a_rate_without_timecode_has_no_edl(tmp_path):
    event = event_of(NAME, "a" * 64, media("15"), 1.0, 15, Fraction(15))
    write_timelines(tmp_path, "x", Fraction(15), Size(608, 1080), [event])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["timeline.fcpxml", "timeline.otio"]


def test_times_of_a_file_are_counted_at_its_own_rate(tmp_path):
    assert event_of(NAME, "a" * 64, media("50"), 1.02, 25, Fraction(25)).first == 51
    assert event_of(NAME, "a" * 64, media("50", vfr=True), 1.02, 25, Fraction(25)).first == 26


def test_an_export_brings_its_timelines(recorded, delivered):
    run, made, _ = delivered(recorded(), clip(1.0, 2.0))
    kinds = {one.kind: one for one in made.timelines}
    assert set(kinds) == set(FILES)
    text = run.fetch(kinds["timeline_edl"].object).read_text()
    assert "00:00:01:00 00:00:02:00 00:00:00:00 00:00:01:00" in text
