"""Looking at a clip before anything is rendered: its span of the recording's proxy."""

from control.access import Member
from control.artifacts.models import ArtifactRow
from control.clips.models import Clip
from control.dmca.blocks import ARTIFACT_BLOCKED
from control.storage import Store

# By name the proxy comes first; a recording without pictures has none.
PLAYED = ("proxy", "source")


async def preview_url(member: Member, store: Store, clip: Clip, *, expires_s: int) -> str | None:
    """A signed link that plays the clip's span (W3C Media Fragments URI 1.0, section 4.2.1).

    None where the recording has not been kept, or is taken down.
    """
    rows = ArtifactRow.of(member).filter(
        video_id=clip.video_id, kind__in=PLAYED, job_id__not_isnull=True
    )
    found = rows.annotate(taken_down=ARTIFACT_BLOCKED).order_by("kind", "-created_at", "id")
    played = await found.first()
    if played is None or getattr(played, "taken_down", False):
        return None
    url = await store.presign_download(
        played.key, filename=played.filename, content_type=played.content_type, expires_s=expires_s
    )
    return f"{url}#t={clip.start_s:g},{clip.end_s:g}"
