"""What a clip hands to those who draw it: which of its words may be shown."""

import pytest

from control.jobs.queue import claim
from control.transcripts.models import Transcript
from ray_jobs.contract import JobKind
from tests.control.media_jobs import MediaPath


@pytest.mark.parametrize(("rough", "least"), [(True, 0.2), (False, 0.0)])
async def test_words_of_a_rough_engine_are_shown_only_where_it_is_sure(
    client, owner, settings, rough, least
):
    api = MediaPath(client, owner, settings)
    video, clip = await api.with_clips()
    await Transcript.filter(video_id=video["id"]).update(rough=rough)
    await api.call("POST", f"/v1/clips/{clip['id']}/subtitles:style", 202)
    await api.call("POST", f"/v1/projects/{video['project_id']}/export", 202)
    [styling] = await claim({JobKind.STYLE_SUBTITLES: 1}, lease_s=60)
    [export] = await claim({JobKind.EXPORT: 1}, lease_s=60)
    cuts = [styling.spec["clip"], *export.spec["clips"]]
    assert {cut["min_confidence"] for cut in cuts} == {least}
    assert all(len(cut["words"]) == 7 for cut in cuts), "narrations and QA still know all words"
