"""Transcripts as files, read back by a library that is not ours."""

from itertools import pairwise

import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.transcripts import files
from ray_jobs.contract import Segment, Word
from tests.control.test_narration import transcript_of, video_of


def segment(*texts, start_s=0.0, step_s=0.5, speaker=None, glue=" ") -> Segment:
    words = [
        Word(
            id=f"w{n}", text=text, start_s=start_s + n * step_s,
            end_s=start_s + (n + 0.9) * step_s, confidence=1,
        )
        for n, text in enumerate(texts)
    ]  # fmt: skip
    return Segment(
        id=f"s{start_s}", start_s=start_s, end_s=start_s + len(texts) * step_s,
        text=glue.join(texts), confidence=1, speaker=speaker, words=words,
    )  # fmt: skip


def test_times_and_words_are_where_they_were():
    """Written by hand after the de-facto format of SubRip."""
    one = segment("Rivers", "made", "cities.", start_s=3661.5)
    assert files.srt([one]) == (
        "1\n01:01:01,500 --> 01:01:02,950\nRivers made cities.\n\n"
    )  # fmt: skip


def test_webvtt_names_who_speaks_and_escapes_what_could_be_markup():
    one = segment("a<b", "&", "c", speaker="Ann <1>")
    assert files.vtt([one]) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.450\n<v Ann &lt;1&gt;>a&lt;b &amp; c\n\n"
    )


def test_text_has_a_paragraph_for_each_turn():
    spoken = [
        segment("Who", "was", "it?", speaker="A"),
        segment("Go", "on.", start_s=2, speaker="A"),
        segment("Me.", start_s=4, speaker="B"),
    ]
    assert files.txt(spoken) == "A: Who was it? Go on.\n\nB: Me.\n"
    assert files.txt([]) == ""


def test_scripts_without_spaces_get_none():
    one = segment("河流", "造就", "城市", glue="")
    assert files.cues([one])[0].text == "河流造就城市"


def test_a_word_that_the_text_does_not_hold_is_shown_all_the_same():
    one = segment("one", "two").model_copy(update={"text": "something else"})
    assert files.cues([one])[0].text == "one two"


def test_a_pause_and_a_full_cue_begin_another():
    long = segment(*(f"word{n:02d}" for n in range(30)))
    texts = [cue.text for cue in files.cues([long])]
    assert len(texts) == 3
    assert " ".join(texts) == long.text
    words = [
        Word(id="a", text="Wait", start_s=0, end_s=0.4, confidence=1),
        Word(id="b", text="here", start_s=3, end_s=3.4, confidence=1),
    ]
    paused = Segment(id="s", start_s=0, end_s=4, text="Wait here", confidence=1, words=words)
    assert [cue.text for cue in files.cues([paused])] == ["Wait", "here"]


SEGMENTS = st.lists(
    st.tuples(
        st.floats(0, 3000),
        st.lists(st.text("abc é河.?<&\n", min_size=1, max_size=60), max_size=20),
        st.floats(0, 2),
    ).map(lambda given: segment(*given[1], start_s=given[0], step_s=given[2])),
    max_size=6,
)


@given(SEGMENTS)
def test_cues_are_in_order_apart_and_last(segments):
    found = files.cues(segments)
    assert all(cue.end_s > cue.start_s for cue in found)
    assert all(one.end_s <= two.start_s for one, two in pairwise(found))


@given(SEGMENTS)
def test_another_reader_finds_the_same_cues(segments):
    found = files.cues(segments)
    assert all(cue.text.strip() for cue in found)
    for write, form in ((files.srt, "srt"), (files.vtt, "vtt")):
        read = pysubs2.SSAFile.from_string(write(segments), format_=form)
        times = [(event.start, event.end) for event in read]
        assert times == [(round(c.start_s * 1000), round(c.end_s * 1000)) for c in found]


@pytest.mark.parametrize(
    ("form", "content_type", "begins"),
    [
        ("srt", "application/x-subrip", "1\n00:00:00,000"),
        ("vtt", "text/vtt", "WEBVTT"),
        ("txt", "text/plain", "rivers built"),
        ("json", "application/json", "{"),
    ],
)
async def test_a_file_has_every_edit_in_it(client, owner, form, content_type, begins):
    transcript = await transcript_of(await video_of(owner))
    path = f"/v1/videos/{transcript.video_id}/transcripts/{transcript.id}"
    patch = {"segments": [{"id": "s1", "text": "rivers built the cities we live in"}]}
    changed = await client.patch(path, headers=owner.headers, json=patch)
    assert changed.status_code == 200
    answer = await client.get(f"{path}:export", headers=owner.headers, params={"format": form})
    assert answer.headers["content-type"].startswith(content_type)
    assert f'filename="a.{form}"' in answer.headers["content-disposition"]
    assert answer.text.startswith(begins)
    assert "built" in answer.text
    assert "made" not in answer.text


async def test_a_form_that_is_none_is_refused(client, owner, other_org):
    transcript = await transcript_of(await video_of(owner))
    path = f"/v1/videos/{transcript.video_id}/transcripts/{transcript.id}:export"
    refused = await client.get(path, headers=owner.headers, params={"format": "docx"})
    assert refused.json()["errors"][0]["at"] == "format"
    assert (await client.get(path, headers=other_org.headers)).status_code == 404
