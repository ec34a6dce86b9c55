"""Transcripts that people bring: read what can be read, say what cannot, never crash."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.contract import GivenTranscript
from ray_jobs.engines.given import parse
from ray_jobs.engines.text import joined
from ray_jobs.failures import Failure


def read(form, text, duration_s=3600.0):
    return parse(GivenTranscript(format=form, text=text), duration_s)


def texts(form, text, **options):
    return [joined(line.tokens) for line in read(form, text, **options).lines]


def lines_or_refusal(form, text):
    """The lines; none where the text is refused as a bad transcript. Anything else is raised."""
    try:
        return read(form, text).lines
    except Failure as failure:
        if failure.code != "bad_transcript":
            raise
        return []


SRT = """1
00:00:01,500 --> 00:00:04,000
First line
and second.

2
00:00:05,000 --> 00:00:06,000
<i>Slanted</i> {\\an8}text &amp; more
"""


class TestCues:
    def test_times_and_text_are_read(self):
        first, second = read("srt", SRT).lines
        assert (first.start_s, first.end_s) == (1.5, 4.0)
        assert joined(first.tokens) == "First line and second."
        assert joined(second.tokens) == "Slanted text & more"

    @pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
    def test_any_line_ending_will_do(self, ending):
        assert len(texts("srt", "\ufeff" + SRT.replace("\n", ending))) == 2

    def test_cues_without_numbers_or_empty_lines_between(self):
        text = "00:01.0 --> 00:02.0\nA\n2\n00:03.0 --> 00:04.0\nB\n"
        assert texts("srt", text) == ["A", "B"]

    def test_webvtt_headers_notes_styles_and_settings_are_no_text(self):
        text = (
            "WEBVTT - a title\n\nNOTE nothing\nto see\n\nSTYLE\n::cue { color: red }\n\n"
            "intro\n00:01.000 --> 00:02.000 align:start position:10%\n"
            "<v.loud Mary Ann>Hello <c.x>you</c><00:01.500></v>\n"
        )
        (line,) = read("vtt", text).lines
        assert joined(line.tokens) == "Hello you"
        assert line.speaker == "Mary Ann"

    def test_bad_cues_are_left_out_with_a_note(self):
        text = SRT + "\n3\n00:00:09,000 --> 00:00:08,000\nBackwards\n"
        found = read("srt", text)
        assert len(found.lines) == 2
        assert "line 11" in found.notes[0]

    def test_cues_after_the_recording_are_left_out_with_a_note(self):
        found = read("srt", SRT, duration_s=4.5)
        assert [joined(line.tokens) for line in found.lines] == ["First line and second."]
        assert "1 cues after" in found.notes[0]

    def test_cues_come_in_the_order_of_time(self):
        text = "2\n00:00:05,000 --> 00:00:06,000\nB\n\n1\n00:00:01,000 --> 00:00:02,000\nA\n"
        assert texts("srt", text) == ["A", "B"]

    @pytest.mark.media
    def test_hostile_files_are_read_or_refused(self, media):
        files = [*media.glob("subtitles/**/*.srt"), *media.glob("subtitles/**/*.vtt")]
        assert len(files) > 100
        for file in files:
            text = file.read_bytes().decode("utf-8", "replace")
            lines = lines_or_refusal(file.suffix[1:], text)
            assert all(line.tokens and line.start_s < line.end_s for line in lines)


class TestJson:
    def test_our_own_form_and_whispers_are_understood(self):
        ours = [{"id": "s1", "start_s": 1, "end_s": 2, "text": "Hi you.", "speaker": "A"}]
        theirs = {"segments": [{"start": 1.0, "end": 2.0, "text": " Hi you."}], "language": "en"}
        for document in (ours, {"segments": ours}, theirs):
            (line,) = read("json", json.dumps(document)).lines
            assert (line.start_s, line.end_s, joined(line.tokens)) == (1, 2, "Hi you.")

    def test_word_times_are_kept_only_where_they_are_complete(self):
        words = [{"word": " Hi", "start": 1, "end": 1.5}, {"word": " you.", "start": 1.5, "end": 2}]
        whole = {"start": 1, "end": 2, "text": "Hi you.", "words": words}
        part = {"start": 1, "end": 2, "text": "Hi you there.", "words": words}
        assert len(read("json", json.dumps([whole])).lines[0].words) == 2
        assert read("json", json.dumps([part])).lines[0].words == []

    @pytest.mark.parametrize(
        ("text", "named"),
        [
            ('{"segments": [{"start": -1, "text": "x"}]}', "segments.0.start"),
            ('[{"text": "x", "start": NaN, "end": 1}]', "segments.0.start"),
            ('{\n"segments": oops}', "line 2, column 13"),
            ("[" * 100_000, "cannot be read"),
            ('"text"', "segments"),
            ("[]", "no words"),
        ],
    )
    def test_what_is_wrong_is_named(self, text, named):
        with pytest.raises(Failure, match="bad_transcript") as failure:
            read("json", text)
        assert named in failure.value.detail


class TestText:
    def test_every_line_is_a_line(self):
        assert texts("text", "One.\n\n  Two words \r\nThree") == ["One.", "Two words", "Three"]

    @pytest.mark.parametrize("text", [" \n ", "\x00\x07"])
    def test_nothing_is_refused(self, text):
        with pytest.raises(Failure, match="no words"):
            read("text", text)


@given(st.sampled_from(["srt", "vtt", "json", "text"]), st.text(min_size=1, max_size=300))
def test_any_text_is_read_or_refused(form, text):
    assert all(line.tokens for line in lines_or_refusal(form, text))


cue = st.tuples(
    st.integers(0, 7_200_000), st.integers(0, 100_000), st.text("ab <>-1\n", max_size=30)
)


@given(st.lists(cue, min_size=1, max_size=10))
def test_cues_of_any_text_never_swallow_each_other(cues):
    def clock(ms):
        minutes, rest = divmod(ms, 60_000)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d},{rest % 1000:03d}"

    blocks = [
        f"{n}\n{clock(start)} --> {clock(start + 1 + length)}\nword {text.replace('-->', '')}\n"
        for n, (start, length, text) in enumerate(cues, 1)
    ]
    found = read("srt", "\n".join(blocks), duration_s=8000.0).lines
    assert len(found) == len(cues)
    assert [line.start_s for line in found] == sorted(start / 1000 for start, _, _ in cues)
