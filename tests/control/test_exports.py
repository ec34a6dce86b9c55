"""Exports: what a worker is told of clips, presets and platforms."""

from ray_jobs.contract import JobKind
from tests.control.media_jobs import claimed


async def test_an_export_carries_the_words_and_style_of_each_clip(api, client, app):
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
