"""Transcripts: who speaks, what people change, and what that makes stale."""

from itertools import pairwise

import pytest

from ray_jobs.contract import JobKind
from tests.control.media_jobs import claimed, styled


class TestSpeakers:
    async def test_who_speaks_is_asked_of_the_worker(self, api, client, app):
        video = await api.ready()
        path = f"/v1/videos/{video['id']}/transcripts"
        await api.call("POST", path, 422, diarize=True, speakers={"exactly": 2, "at_most": 3})
        await api.call("POST", path, 202, diarize=True, speakers={"at_least": 2, "at_most": 3})
        hand = await claimed(client, app.ctx.settings, JobKind.TRANSCRIBE)
        assert hand.job.spec["diarize"] is True
        assert hand.job.spec["speakers"] == {"exactly": None, "at_least": 2, "at_most": 3}
        assert hand.job.spec["speaker_model"] == "speaker-diarization-community-1"
        await hand.report("failed", problem={"code": "engine_unavailable", "detail": "x"})


class TestTranscriptEdits:
    async def test_changed_words_share_the_gap_and_the_others_keep_their_times(self, api):
        video, _ = await api.with_clips()
        base = f"/v1/videos/{video['id']}/transcripts"
        brief = (await api.call("GET", base))["items"][0]
        patch = {"segments": [{"id": "s1", "text": "rivers built great cities we live in"}]}
        answer = await api.call("PATCH", f"{base}/{brief['id']}", **patch)
        words = answer["segments"][0]["words"]
        assert [w["text"] for w in words] == [
            "rivers",
            "built",
            "great",
            "cities",
            "we",
            "live",
            "in",
        ]
        assert [w["interpolated"] for w in words] == [False, True, True, *[False] * 4]
        assert words[3]["start_s"] == 3
        assert all(a["end_s"] <= b["start_s"] for a, b in pairwise(words))
        assert answer["revision"] == 2

    async def test_segments_are_split_merged_and_renamed_and_every_edit_is_kept(self, api, owner):
        video, _ = await api.with_clips()
        base = f"/v1/videos/{video['id']}/transcripts"
        path = f"{base}/{(await api.call('GET', base))['items'][0]['id']}"
        whole = (await api.call("GET", path))["segments"]
        cut = {"segment_id": "s1", "before_word_id": "w4"}
        halves = (await api.call("PATCH", path, splits=[cut], note="Two thoughts"))["segments"]
        assert [s["text"] for s in halves] == ["rivers made the cities", "we live in"]
        assert [s["id"] for s in halves] == ["s1", "s1.w4"]
        assert [w for s in halves for w in s["words"]] == whole[0]["words"]
        assert (halves[0]["end_s"], halves[1]["start_s"]) == (3.5, 4.0)
        named = [{"id": s["id"], "speaker": name} for s, name in zip(halves, "AB", strict=True)]
        await api.call("PATCH", path, segments=named)
        one = await api.call("PATCH", path, speakers={"B": "A"}, merges=[["s1", "s1.w4"]])
        assert [s["speaker"] for s in one["segments"]] == ["A"]
        assert one["segments"][0]["words"] == whole[0]["words"]
        log = await api.call("GET", f"{path}/revisions")
        assert [(r["revision"], r["note"]) for r in log["items"]] == [
            (4, None), (3, None), (2, "Two thoughts"),
        ]  # fmt: skip
        assert {r["author_id"] for r in log["items"]} == {str(owner.user.id)}
        first = log["items"][-1]["diff"]
        assert [(d["segment_id"], bool(d["before"]), bool(d["after"])) for d in first] == [
            ("s1", True, True), ("s1.w4", False, True),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "patch",
        [
            {"splits": [{"segment_id": "s1", "before_word_id": "w0"}]},
            {"splits": [{"segment_id": "s9", "before_word_id": "w1"}]},
            {"merges": [["s1", "s2"]]},
            {"merges": [["s1"]]},
            {"speakers": {"Nobody": "A"}},
            {"segments": [{"id": "s9", "text": "a"}]},
        ],
    )
    async def test_an_edit_that_cannot_be_made_changes_nothing(self, api, patch):
        video, _ = await api.with_clips()
        base = f"/v1/videos/{video['id']}/transcripts"
        path = f"{base}/{(await api.call('GET', base))['items'][0]['id']}"
        before = await api.call("GET", path)
        mixed = {"segments": [{"id": "s1", "speaker": "A"}], **patch}
        await api.call("PATCH", path, 422, **mixed)
        assert await api.call("GET", path) == before

    async def test_an_edit_names_what_it_made_stale(self, api, client, app, owner):
        video, clip = await api.with_clips()
        await api.call("POST", f"/v1/clips/{clip['id']}/subtitles:style", 202)
        await api.work(JobKind.STYLE_SUBTITLES, styled)
        base = f"/v1/videos/{video['id']}/transcripts"
        path = f"{base}/{(await api.call('GET', base))['items'][0]['id']}"
        edit = {"segments": [{"id": "s1", "text": "rivers built the cities we live in"}]}
        answer = await api.call("PATCH", path, **edit)
        assert [one["kind"] for one in answer["stale_artifacts"]] == ["subtitles_srt"]
        same = await api.call("PATCH", path, **edit)
        assert (same["revision"], same["stale_artifacts"]) == (answer["revision"], [])

    async def test_a_transcript_goes_alone(self, api):
        video, clip = await api.with_clips()
        base = f"/v1/videos/{video['id']}/transcripts"
        (one,) = (await api.call("GET", base))["items"]
        await api.call("DELETE", f"{base}/{one['id']}", 204)
        assert (await api.call("GET", base))["items"] == []
        await api.call("GET", f"/v1/clips/{clip['id']}")
