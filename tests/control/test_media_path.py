"""The path of a recording through the API, with the workers' part played over HTTP."""

import json
from itertools import pairwise

import pytest

from control.artifacts.models import ArtifactRow
from control.jobs.models import Job
from control.videos import uploads
from control.videos.models import Video
from ray_jobs.contract import JobKind
from tests.control.media_jobs import (
    SHA,
    MediaPath,
    claimed,
    clips_found,
    ingested,
    styled,
)


@pytest.fixture
def api(client, owner, app):
    return MediaPath(client, owner, app.ctx.settings)


class TestIngest:
    async def test_an_upload_becomes_a_ready_video_with_what_the_probe_found(self, api):
        video = await api.ready()
        assert (video["status"], video["sha256"]) == ("ready", SHA)
        assert (video["frame_rate"], video["duration_s"], video["vfr"]) == ("25/1", 30.0, False)
        assert video["filename"] == "a 'b'; [v]\n☃.mp4"

    async def test_completing_before_the_bytes_are_there_is_refused(self, api):
        project = await api.call("POST", "/v1/projects", 201, name="Rivers")
        answer = await api.call(
            "POST", "/v1/videos:ingest", 202, project_id=project["id"], source="upload",
            filename="a.mp4", size_bytes=10,
        )  # fmt: skip
        path = f"/v1/videos/{answer['video']['id']}:complete-upload"
        assert (await api.call("POST", path, 409))["code"] == "not_uploaded"

    async def test_completing_twice_gives_the_same_job(self, api):
        video = await api.upload()
        path = f"/v1/videos/{video['id']}:complete-upload"
        first = await api.call("POST", path, 202)
        again = await api.call("POST", path, 202)
        assert first["id"] == again["id"]
        assert again["deduplicated"]
        await api.work(JobKind.INGEST, ingested)

    async def test_work_on_a_video_that_is_not_ready_is_refused(self, api):
        video = await api.upload()
        answer = await api.call("POST", f"/v1/videos/{video['id']}/transcripts", 409)
        assert answer["code"] == "video_not_ready"

    async def test_a_url_goes_straight_to_the_workers(self, api):
        project = await api.call("POST", "/v1/projects", 201, name="Rivers")
        answer = await api.call(
            "POST", "/v1/videos:ingest", 202, project_id=project["id"], source="url",
            url="https://example.org/talk.mp4",
        )  # fmt: skip
        assert (answer["job"]["kind"], answer["upload"]) == ("ingest", None)
        assert answer["video"]["filename"] == "talk.mp4"
        await api.work(JobKind.INGEST, ingested)

    async def test_an_address_inside_is_refused_at_once(self, api):
        project = await api.call("POST", "/v1/projects", 201, name="Rivers")
        hosts = ("127.0.0.1", "0x7f.1", "localhost", "user:pass@example.org", "example.org:22")
        for url in (f"http://{host}/v.mp4" for host in hosts):
            refused = await api.call(
                "POST", "/v1/videos:ingest", 422, project_id=project["id"], source="url", url=url
            )
            assert refused["errors"][0]["at"] == "url", url
        videos = await api.call("GET", f"/v1/projects/{project['id']}/videos")
        assert videos["count"] == 0

    @pytest.mark.media
    async def test_of_the_known_tricks_none_but_a_names_address_is_left_to_the_worker(
        self, api, media
    ):
        cases = json.loads((media / "security" / "ssrf_urls.json").read_text())["cases"]
        project = await api.call("POST", "/v1/projects", 201, name="Rivers")
        taken = set()
        for case in cases:
            sent = {"project_id": project["id"], "source": "url", "url": case["url"]}
            answer = await api.client.post(
                "/v1/videos:ingest", headers=api.person.headers, json=sent
            )
            assert answer.status_code in (202, 422), case
            if answer.status_code == 202:
                taken.add(case["url"])
        allowed = {case["url"] for case in cases if case["expect"] != "refuse"}
        by_look_up = {
            "http://127.0.0.1.nip.io/v.mp4", "http://localtest.me/v.mp4",
            "http://a.b.c.d.e/..;/v.mp4",
        }  # fmt: skip
        await Job.all().delete()  # nobody shall work on these
        assert taken - by_look_up == allowed

    @pytest.mark.parametrize(
        "bad",
        [
            {"source": "ftp"},
            {"source": "url", "url": "ftp://example.org/a"},
            {"source": "upload", "filename": "", "size_bytes": 1},
            {"source": "upload", "filename": "a", "size_bytes": -1},
            {"source": "upload", "filename": "a", "size_bytes": 2**60},
            {"source": "upload", "filename": "a", "size_bytes": 1, "surprise": 1},
        ],
    )
    async def test_malformed_requests_are_422_and_say_where(self, api, bad):
        project = await api.call("POST", "/v1/projects", 201, name="Rivers")
        answer = await api.call("POST", "/v1/videos:ingest", 422, project_id=project["id"], **bad)
        assert answer["errors"]


class TestFailedIngest:
    async def test_fails_its_video_with_the_problem_and_nothing_else(self, api, client, app):
        other = await api.ready()
        video = await api.upload()
        await api.call("POST", f"/v1/videos/{video['id']}:complete-upload", 202)
        hand = await claimed(client, app.ctx.settings, JobKind.INGEST)
        problem = {"code": "corrupt_media", "detail": "No frame decodes.", "retryable": False}
        await hand.report("failed", problem=problem)
        video = await api.call("GET", f"/v1/videos/{video['id']}")
        assert (video["status"], video["problem"]) == ("failed", problem)
        assert (await api.call("GET", f"/v1/videos/{other['id']}"))["status"] == "ready"


class TestClips:
    async def test_the_path_leads_from_video_to_clips(self, api):
        video, clip = await api.with_clips()
        assert (clip["rank"], clip["title"], clip["status"]) == (1, "Clip 1", "suggested")
        assert clip["parts"][0]["contribution"] == 1
        assert (await api.call("GET", f"/v1/videos/{video['id']}"))["status"] == "clipped"
        transcripts = await api.call("GET", f"/v1/videos/{video['id']}/transcripts")
        assert transcripts["count"] == 1

    async def test_the_same_request_finds_the_same_job(self, api):
        video, _ = await api.with_clips()
        again = await api.call("POST", f"/v1/videos/{video['id']}/generate-clips", 202)
        assert (again["deduplicated"], again["state"]) == (True, "succeeded")

    async def test_weights_of_the_request_reach_the_worker(self, api, client, app):
        video, _ = await api.with_clips()
        await api.call(
            "POST", f"/v1/videos/{video['id']}/generate-clips", 202, weights={"hook": 3.0}
        )
        hand = await claimed(client, app.ctx.settings, JobKind.FIND_CLIPS)
        assert hand.job.spec["weights"]["hook"] == 3.0
        assert hand.job.spec["segments"][0]["words"][0]["text"] == "rivers"
        await hand.report("succeeded", result=clips_found(hand.job))

    async def test_an_opinion_is_asked_for_only_where_a_model_is(self, api, client, app):
        video, _ = await api.with_clips()
        path = f"/v1/videos/{video['id']}/generate-clips"
        refused = await api.call("POST", path, 422, opinion=True)
        assert refused["errors"][0]["at"] == "opinion"

    async def test_a_new_search_keeps_what_a_person_edited(self, api):
        video, clip = await api.with_clips()
        await api.call("PATCH", f"/v1/clips/{clip['id']}", title="Mine")
        await api.call("POST", f"/v1/videos/{video['id']}/generate-clips", 202, max_clips=2)
        await api.work(JobKind.FIND_CLIPS, lambda job: clips_found(job, ((0.0, 3.5), (3.5, 6.5))))
        clips = (await api.call("GET", f"/v1/videos/{video['id']}/clips"))["items"]
        assert sorted(c["title"] for c in clips) == ["Clip 1", "Clip 2", "Mine"]

    async def test_trimming_snaps_to_words(self, api):
        _, clip = await api.with_clips()
        answer = await api.call("PATCH", f"/v1/clips/{clip['id']}", start_s=0.9, end_s=3.6)
        assert (answer["start_s"], answer["end_s"]) == (1.0, 3.5)
        assert (answer["text"], answer["segment_ids"]) == ("made the cities", ["s1"])

    async def test_a_clip_says_what_is_said_in_it_however_it_was_cut(self, api):
        _, clip = await api.with_clips()
        path = f"/v1/clips/{clip['id']}"
        answer = await api.call("PATCH", path, start_s=0.9, end_s=3.0, snap="none")
        assert (answer["start_s"], answer["end_s"]) == (0.9, 3.0)
        assert answer["text"] == "made the"

    async def test_a_clip_cannot_leave_its_video(self, api):
        _, clip = await api.with_clips()
        path = f"/v1/clips/{clip['id']}"
        for wrong in ({"end_s": 5000}, {"end_s": 31}, {"start_s": 31, "end_s": 32}):
            for snap in ("word", "none"):
                refused = await api.call("PATCH", path, 422, **wrong, snap=snap)
                assert refused["errors"][0]["at"] == "end_s"
        assert (await api.call("GET", path))["end_s"] == clip["end_s"]

    @pytest.mark.parametrize("name", ["title", "start_s", "status", "crop_track"])
    async def test_null_empties_nothing_of_a_clip(self, api, name):
        _, clip = await api.with_clips()
        refused = await api.call("PATCH", f"/v1/clips/{clip['id']}", 422, **{name: None})
        assert refused["errors"] == [{"at": name, "message": "must not be null"}]

    async def test_a_search_beyond_the_end_is_refused(self, api):
        video, _ = await api.with_clips()
        path = f"/v1/videos/{video['id']}/generate-clips"
        refused = await api.call("POST", path, 422, range_start_s=30.0)
        assert refused["errors"][0]["at"] == "range_start_s"

    async def test_clips_are_sorted_and_picked_as_asked(self, api):
        video, _ = await api.with_clips()
        await api.call("POST", f"/v1/videos/{video['id']}/generate-clips", 202, max_clips=2)
        await api.work(JobKind.FIND_CLIPS, lambda job: clips_found(job, ((3.0, 6.5), (0.0, 2.5))))
        path = f"/v1/videos/{video['id']}/clips"
        starts = [c["start_s"] for c in (await api.call("GET", f"{path}?sort=start"))["items"]]
        ranked = [c["rank"] for c in (await api.call("GET", path))["items"]]
        assert (starts, ranked) == ([0.0, 3.0], [1, 2])
        assert (await api.call("GET", f"{path}?status=kept"))["count"] == 0
        await api.call("GET", f"{path}?sort=bogus", 422)

    async def test_a_clip_is_reframed_by_a_track_of_its_own(self, api, client, app):
        video, clip = await api.with_clips()
        path = f"/v1/clips/{clip['id']}"
        track = [
            {"time_s": 0.5, "x": 0.2, "y": 0.5},
            {"time_s": 2, "x": 0.8, "y": 0.5, "cut": True},
        ]
        changed = await api.call("PATCH", path, crop_track=track)
        assert [point["x"] for point in changed["crop_track"]] == [0.2, 0.8]
        assert (await api.call("GET", path))["crop_track"] == changed["crop_track"]
        await api.call("PATCH", path, 422, crop_track=[{"time_s": 0, "x": 1.2, "y": 0.5}])
        export = f"/v1/projects/{video['project_id']}/export"
        await api.call("POST", export, 202, layout="split", clip_ids=[clip["id"]])
        hand = await claimed(client, app.ctx.settings, JobKind.EXPORT)
        assert hand.job.spec["layout"] == "split"
        assert [point["x"] for point in hand.job.spec["clips"][0]["crop_track"]] == [0.2, 0.8]
        await hand.report("failed", problem={"code": "encode_failed", "detail": "x"})

    async def test_a_clips_edits_are_a_persons_to_change(self, api, client, app):
        video, clip = await api.with_clips()
        path = f"/v1/clips/{clip['id']}"
        assert (await api.call("GET", path))["edits"] == []
        length_s = round(clip["end_s"] - clip["start_s"], 3)
        edits = [
            {"start_s": 0.5, "end_s": 1.0, "reason": "filler", "text": "um"},
            {"start_s": 2.0, "end_s": 2.5, "applied": False},
        ]
        changed = await api.call("PATCH", path, edits=edits)
        assert changed["playing_s"] == pytest.approx(length_s - 0.5)
        assert [edit["reason"] for edit in changed["edits"]] == ["filler", "manual"]
        for wrong in (
            [{"start_s": 0.5, "end_s": clip["end_s"] + 5}],
            [{"start_s": clip["start_s"], "end_s": clip["end_s"]}],
            [{"start_s": 1.0, "end_s": 1.0}],
        ):
            await api.call("PATCH", path, 422, edits=wrong)
        export = f"/v1/projects/{video['project_id']}/export"
        await api.call("POST", export, 202, clip_ids=[clip["id"]])
        hand = await claimed(client, app.ctx.settings, JobKind.EXPORT)
        (ordered,) = hand.job.spec["clips"]
        assert [edit["applied"] for edit in ordered["edits"]] == [True, False]
        await hand.report("failed", problem={"code": "encode_failed", "detail": "x"})

    async def test_an_edit_and_a_new_end_leave_something_of_a_clip(self, api):
        _, clip = await api.with_clips()
        path = f"/v1/clips/{clip['id']}"
        await api.call("PATCH", path, edits=[{"start_s": 1.0, "end_s": 4.0}])
        refused = await api.call("PATCH", path, 422, start_s=1.2, end_s=3.8, snap="none")
        assert refused["errors"][0]["at"] == "end_s"
        refused = await api.call("PATCH", path, 422, start_s=5.0, end_s=5.3, snap="none")
        assert refused["errors"][0]["at"] == "end_s"
        await api.call("PATCH", path, start_s=1.2, end_s=3.8, snap="none", edits=[])

    async def test_a_clip_is_moved_among_the_others_and_tagged(self, api):
        video, _ = await api.with_clips()
        await api.call("POST", f"/v1/videos/{video['id']}/generate-clips", 202, max_clips=4)
        spans = ((0.0, 1.5), (1.0, 2.5), (2.0, 3.5), (3.0, 4.5))
        await api.work(JobKind.FIND_CLIPS, lambda job: clips_found(job, spans))
        path = f"/v1/videos/{video['id']}/clips"

        async def order():
            clips = (await api.call("GET", path))["items"]
            assert [clip["rank"] for clip in clips] == list(range(1, len(clips) + 1))
            return [clip["id"] for clip in clips]

        one, two, three, four = await order()
        moved = await api.call("PATCH", f"/v1/clips/{four}", rank=2)
        assert moved["rank"] == 2
        assert await order() == [one, four, two, three]
        assert (await api.call("PATCH", f"/v1/clips/{one}", rank=99))["rank"] == 4
        assert await order() == [four, two, three, one]
        await api.call("PATCH", f"/v1/clips/{two}", 422, rank=0)
        tagged = await api.call("PATCH", f"/v1/clips/{two}", tags=["short", "cold open", "short"])
        assert tagged["tags"] == ["cold open", "short"]
        found = await api.call("GET", f"{path}?tag=short")
        assert [clip["id"] for clip in found["items"]] == [two]
        assert (await api.call("GET", f"{path}?tag=cold"))["items"] == []

    async def test_a_clip_is_looked_at_before_anything_is_rendered(self, api, client):
        _, clip = await api.with_clips()
        path = f"/v1/clips/{clip['id']}"
        url = (await api.call("PATCH", path, start_s=1.0, end_s=2.5, snap="none"))["preview_url"]
        assert url.endswith(".mp4#t=1,2.5")
        assert (await api.call("GET", path))["preview_url"].endswith("#t=1,2.5")
        assert (await client.get(url)).status_code == 404  # no worker has left bytes here

    async def test_a_clip_cannot_end_before_it_starts(self, api):
        _, clip = await api.with_clips()
        await api.call("PATCH", f"/v1/clips/{clip['id']}", 422, start_s=5.0, end_s=1.0)

    async def test_unknown_presets_and_bad_overrides_are_422(self, api):
        _, clip = await api.with_clips()
        path = f"/v1/clips/{clip['id']}/subtitles:style"
        await api.call("POST", path, 422, preset="nope")
        answer = await api.call("POST", path, 422, overrides={"color": "red"})
        assert answer["errors"][0]["at"] == "overrides.color"

    async def test_an_export_carries_the_words_and_style_of_each_clip(self, api, client, app):
        video, clip = await api.with_clips()
        path = f"/v1/projects/{video['project_id']}/export"
        answer = await api.call("POST", path, 202, aspect="1:1", height=720, subtitle_preset="box")
        assert answer["kind"] == "export"
        hand = await claimed(client, app.ctx.settings, JobKind.EXPORT)
        cut = hand.job.spec["clips"][0]
        assert cut["clip_id"] == clip["id"]
        assert [word["text"] for word in cut["words"]][:2] == ["rivers", "made"]
        assert cut["style"]["preset"] == "box"
        await hand.report("failed", problem={"code": "encode_failed", "detail": "x"})


class TestExportPresets:
    async def spec(self, api, client, app, **wanted):
        video, _ = await api.with_clips()
        await api.call("POST", f"/v1/projects/{video['project_id']}/export", 202, **wanted)
        hand = await claimed(client, app.ctx.settings, JobKind.EXPORT)
        await hand.report("failed", problem={"code": "encode_failed", "detail": "x"})
        return hand.job.spec

    async def test_a_platform_is_resolved_to_all_its_values(self, api, client, app):
        spec = await self.spec(api, client, app, preset="reels")
        assert (spec["aspect"], spec["height"], spec["max_rate_hz"]) == ("9:16", 1920, 60)
        assert spec["loudness"]["target_lufs"] == -14
        assert spec["safe_area"]["bottom"] == 0.35
        assert spec["clips"][0]["style"]["margin"] > 0.35

    async def test_what_the_order_says_itself_comes_before_the_platform(self, api, client, app):
        spec = await self.spec(
            api, client, app, preset="youtube", height=720, max_bitrate_bps=None,
            subtitle_overrides={"margin": 0.01}, loudness=None,
        )  # fmt: skip
        assert (spec["aspect"], spec["height"], spec["max_bitrate_bps"]) == ("16:9", 720, None)
        assert spec["clips"][0]["style"]["margin"] == 0.01

    async def test_unknown_platforms_are_refused_and_the_known_ones_listed(self, api):
        video, _ = await api.with_clips()
        path = f"/v1/projects/{video['project_id']}/export"
        refused = await api.call("POST", path, 422, preset="vine")
        assert "tiktok" in refused["errors"][0]["message"]
        listed = await api.call("GET", "/v1/export-presets?limit=2")
        assert [one["name"] for one in listed["items"]] == ["tiktok", "reels"]
        assert listed["pagination"]["total"] >= 5


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


class TestDeleting:
    async def test_a_clip_takes_what_was_made_of_it_along(self, api):
        video, clip = await api.with_clips()
        await api.call("POST", f"/v1/clips/{clip['id']}/subtitles:style", 202)
        await api.call("DELETE", f"/v1/clips/{clip['id']}", 409)
        await api.work(JobKind.STYLE_SUBTITLES, styled)
        await api.call("DELETE", f"/v1/clips/{clip['id']}", 204)
        await api.call("GET", f"/v1/clips/{clip['id']}", 404)
        kinds = await api.call("GET", f"/v1/videos/{video['id']}/artifacts?kind=subtitles_srt")
        assert kinds["items"] == []

    async def test_a_video_takes_everything_along(self, api):
        video, clip = await api.with_clips()
        await api.call("DELETE", f"/v1/videos/{video['id']}", 204)
        await api.call("GET", f"/v1/videos/{video['id']}", 404)
        await api.call("GET", f"/v1/clips/{clip['id']}", 404)
        left = await api.call("GET", f"/v1/projects/{video['project_id']}/artifacts")
        assert left["items"] == []

    async def test_what_a_legal_hold_keeps_stays(self, api):
        video, clip = await api.with_clips()
        base = f"/v1/videos/{video['id']}"
        (words,) = (await api.call("GET", f"{base}/transcripts"))["items"]
        notice = await api.call("POST", "/v1/dmca/notices", 201, material={"video_id": video["id"]})
        await api.call("PATCH", f"/v1/dmca/notices/{notice['id']}", legal_hold=True)
        for path in (
            f"{base}/transcripts/{words['id']}", f"/v1/clips/{clip['id']}", base,
            f"/v1/projects/{video['project_id']}",
        ):  # fmt: skip
            assert (await api.call("DELETE", path, 409))["code"] == "legal_hold"
        await api.call("PATCH", f"/v1/dmca/notices/{notice['id']}", legal_hold=False)
        await api.call("DELETE", base, 204)

    async def test_an_artifact_alone_is_held_with_its_project(self, api):
        video = await api.ready()
        other = await api.ready()
        (made,) = (await api.call("GET", f"/v1/videos/{video['id']}/artifacts"))["items"]
        await ArtifactRow.filter(id=made["id"]).update(video_id=None, sha256="a" * 64)
        material = {"artifact_id": made["id"]}
        notice = await api.call("POST", "/v1/dmca/notices", 201, material=material)
        await api.call("PATCH", f"/v1/dmca/notices/{notice['id']}", legal_hold=True)
        held = f"/v1/projects/{video['project_id']}"
        assert (await api.call("DELETE", held, 409))["code"] == "legal_hold"
        await api.call("DELETE", f"/v1/projects/{other['project_id']}", 204)

    async def test_a_hold_of_another_organisation_holds_nothing_here(self, api, other_org):
        video = await api.ready()
        theirs = MediaPath(api.client, other_org, api.settings)
        there = await theirs.ready()
        material = {"video_id": there["id"]}
        notice = await theirs.call("POST", "/v1/dmca/notices", 201, material=material)
        await theirs.call("PATCH", f"/v1/dmca/notices/{notice['id']}", legal_hold=True)
        await api.call("DELETE", f"/v1/videos/{video['id']}", 204)

    async def test_a_transcript_goes_alone(self, api):
        video, clip = await api.with_clips()
        base = f"/v1/videos/{video['id']}/transcripts"
        (one,) = (await api.call("GET", base))["items"]
        await api.call("DELETE", f"{base}/{one['id']}", 204)
        assert (await api.call("GET", base))["items"] == []
        await api.call("GET", f"/v1/clips/{clip['id']}")


async def test_candidates_say_why_they_were_passed_over(api):
    video, _ = await api.with_clips()
    listed = await api.call("GET", f"/v1/videos/{video['id']}/candidates?limit=1")
    assert listed["items"] == [{"start_s": 1.0, "end_s": 5.0, "score": 0.9, "reason": "overlap"}]
    assert listed["pagination"]["total"] == 2


class TestArtifacts:
    async def test_are_listed_with_links_and_a_lost_object_says_so(self, api, client):
        video = await api.ready()
        listed = await api.call("GET", f"/v1/videos/{video['id']}/artifacts")
        proxy = listed["items"][0]
        assert (proxy["kind"], proxy["size_bytes"]) == ("proxy", 9)
        missing = await client.get(proxy["download_url"])
        assert (missing.status_code, missing.json()["code"]) == (404, "object_missing")

    async def test_are_registered_with_their_own_hash_alone(self, api, app):
        video = await api.upload()
        row = await Video.get(id=video["id"])
        path = f"/v1/projects/{video['project_id']}/artifacts"
        given = {"kind": "note", "filename": "a.bin", "content_type": "text/plain"}
        wrong = await api.call("POST", path, 422, **given, key=row.upload_key, sha256="0" * 64)
        assert wrong["errors"][0]["at"] == "sha256"
        made = await api.call("POST", path, 201, **given, key=row.upload_key, sha256=SHA)
        assert (made["sha256"], made["size_bytes"]) == (SHA, 9)
        # What is registered is not removed with the upload.
        await api.call("POST", f"/v1/videos/{video['id']}:complete-upload", 202)
        await api.work(JobKind.INGEST, ingested)
        await uploads.expire(app.ctx.store)
        assert await app.ctx.store.head(row.upload_key)

    async def test_can_be_brought_in_as_recordings(self, api, client, app, other_org):
        video = await api.ready()
        (proxy,) = (await api.call("GET", f"/v1/videos/{video['id']}/artifacts"))["items"]
        wanted = {
            "project_id": video["project_id"], "source": "artifact", "artifact_id": proxy["id"],
        }  # fmt: skip
        answer = await api.call("POST", "/v1/videos:ingest", 202, **wanted)
        assert (answer["video"]["source"], answer["video"]["filename"]) == ("artifact", "proxy.mp4")
        hand = await claimed(client, app.ctx.settings, JobKind.INGEST)
        row = await ArtifactRow.get(id=proxy["id"])
        assert (hand.job.spec["key"], hand.job.spec["expected_sha256"]) == (row.key, row.sha256)
        await hand.report("succeeded", result=ingested(hand.job))
        again = await api.call("GET", f"/v1/videos/{answer['video']['id']}")
        assert again["status"] == "ready"
        theirs = MediaPath(client, other_org, app.ctx.settings)
        project = await theirs.call("POST", "/v1/projects", 201, name="Theirs")
        refused = await theirs.call(
            "POST", "/v1/videos:ingest", 422, **wanted | {"project_id": project["id"]}
        )
        assert refused["errors"][0]["at"] == "artifact_id"
        material = {"video_id": video["id"]}
        claim = {
            "signature": "A", "work": "B", "contact": {"name": "C", "email": "c@e.org"},
            "good_faith": True, "accurate_under_penalty_of_perjury": True, "material": material,
        }  # fmt: skip
        notice = await api.call("POST", "/v1/dmca/notices", 201, **claim)
        down = {"status": "content_disabled"}
        await api.call("PATCH", f"/v1/dmca/notices/{notice['id']}", **down)
        await api.call("POST", "/v1/videos:ingest", 451, **wanted)

    async def test_only_objects_of_the_own_organisation_can_be_registered(self, api):
        video = await api.ready()
        await api.call(
            "POST", f"/v1/videos/{video['id']}/artifacts", 422, kind="note", filename="a",
            key="orgs/00000000-0000-4000-8000-000000000000/x", sha256=SHA,
            content_type="text/plain",
        )  # fmt: skip


async def test_an_upload_larger_than_it_said_is_refused_and_leaves_nothing(api, client):
    project = await api.call("POST", "/v1/projects", 201, name="Rivers")
    answer = await api.call(
        "POST", "/v1/videos:ingest", 202, project_id=project["id"], source="upload",
        filename="a.mp4", size_bytes=4,
    )  # fmt: skip
    sent = answer["upload"]
    put = await client.request(
        sent["method"], sent["url"], content=b"12345", headers=sent["headers"]
    )
    assert (put.status_code, put.json()["code"]) == (413, "too_large")
    path = f"/v1/videos/{answer['video']['id']}:complete-upload"
    assert (await api.call("POST", path, 409))["code"] == "not_uploaded"


async def test_links_that_were_changed_are_refused(api, client, app):
    url = await app.ctx.store.presign_download(
        "orgs/a/b", filename="x", content_type="text/plain", expires_s=60
    )
    assert (await client.get(url + "x")).json()["code"] == "ticket_invalid"
    old = await app.ctx.store.presign_download(
        "orgs/a/b", filename="x", content_type="text/plain", expires_s=-1
    )
    assert (await client.get(old)).json()["code"] == "ticket_expired"
    assert (await client.put(url, content=b"")).status_code == 403
