"""Clips: found by a worker, changed by people, deleted with what was made of them."""

import pytest

from ray_jobs.contract import JobKind
from tests.control.media_jobs import claimed, clips_found, styled


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

    async def test_a_clip_takes_what_was_made_of_it_along(self, api):
        video, clip = await api.with_clips()
        await api.call("POST", f"/v1/clips/{clip['id']}/subtitles:style", 202)
        await api.call("DELETE", f"/v1/clips/{clip['id']}", 409)
        await api.work(JobKind.STYLE_SUBTITLES, styled)
        await api.call("DELETE", f"/v1/clips/{clip['id']}", 204)
        await api.call("GET", f"/v1/clips/{clip['id']}", 404)
        kinds = await api.call("GET", f"/v1/videos/{video['id']}/artifacts?kind=subtitles_srt")
        assert kinds["items"] == []


async def test_candidates_say_why_they_were_passed_over(api):
    video, _ = await api.with_clips()
    listed = await api.call("GET", f"/v1/videos/{video['id']}/candidates?limit=1")
    assert listed["items"] == [{"start_s": 1.0, "end_s": 5.0, "score": 0.9, "reason": "overlap"}]
    assert listed["pagination"]["total"] == 2
