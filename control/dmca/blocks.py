"""What a takedown takes down: one recording's bytes, and with them all that was made of them.

Nothing is marked on videos or artifacts: they are blocked while a block with their sha256 is
there. A copy brought in later is blocked by the same row, and restoring removes it.
"""

from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.expressions import RawSQL

from control.access import Member
from control.artifacts.models import ArtifactRow
from control.dmca.models import DmcaBlock
from control.errors import Conflict, LegalReasons
from control.videos.models import Video

ARTIFACT_BLOCKED = RawSQL(
    "EXISTS (SELECT 1 FROM dmca_blocks b WHERE b.organization_id = artifacts.organization_id "
    "AND b.sha256 IN (artifacts.sha256, "
    "(SELECT v.sha256 FROM videos v WHERE v.id = artifacts.video_id)))"
)
HELD = """
SELECT DISTINCT jsonb_array_elements_text(sha256s) AS sha256
  FROM dmca_notices WHERE organization_id = $1 AND legal_hold
"""
VIDEO_BLOCKED = """
SELECT 1 FROM dmca_blocks b JOIN videos v USING (organization_id, sha256) WHERE v.id = $1 LIMIT 1
"""


async def refuse_blocked_video(tx: BaseDBAsyncClient, video_id: UUID) -> None:
    """Raise `LegalReasons` where the video's bytes are taken down."""
    if await tx.execute_query_dict(VIDEO_BLOCKED, [video_id]):
        raise LegalReasons


async def refuse_held(tx: BaseDBAsyncClient, member: Member, **whose: UUID) -> None:
    """Raise `Conflict` where a notice holds something of this video or project as evidence.

    `whose` is a `video_id` or a `project_id`; what was made of a recording is held with it.
    """
    held = await tx.execute_query_dict(HELD, [member.organization_id])
    shas = [row["sha256"] for row in held]
    if not shas:
        return
    videos = {"id" if name == "video_id" else name: value for name, value in whose.items()}
    if (
        await Video.of(member).filter(sha256__in=shas, **videos).using_db(tx).exists()
        or await ArtifactRow.of(member).filter(sha256__in=shas, **whose).using_db(tx).exists()
    ):
        raise Conflict("A legal hold keeps it: see the DMCA notices.", code="legal_hold")


async def is_blocked(tx: BaseDBAsyncClient, organization_id: UUID, sha256: str) -> bool:
    """Whether these bytes are taken down in this organisation."""
    ours = DmcaBlock.filter(organization_id=organization_id, sha256=sha256)
    return await ours.using_db(tx).exists()
