"""HLS ladders as players reach them: a signed link to one ladder, and what it leads to.

A link names the master playlist of one job of one organisation. Playlists are text that a worker
wrote, with the names of its files; the media's name is replaced by a link to the object itself.
"""

import time
from datetime import UTC, datetime
from uuid import UUID

from control.access import Member
from control.artifacts.models import ArtifactRow
from control.auth import tokens
from control.dmca.blocks import ARTIFACT_BLOCKED
from control.errors import Forbidden, LegalReasons, NotFound, Unauthorized
from control.play.schemas import PlayingOut
from control.settings import Settings
from control.storage import Store
from control.videos.models import Video

AUDIENCE = "cutroom-play"
MASTER, PLAYLIST, MEDIA = "hls_master", "hls_playlist", "hls_media"
MAX_PLAYLIST_BYTES = 4 << 20
"""Twelve hours in segments of a second are 2.5 MB."""


async def link_to(video: Video, member: Member, settings: Settings) -> PlayingOut:
    """A link to the ladder of a video that was asked for last.

    Raises
    ------
    NotFound
        `no_hls` where none was made.
    LegalReasons
        where it is taken down.
    """
    made = ArtifactRow.of(member).filter(video_id=video.id, kind=MASTER, job_id__not_isnull=True)
    master = await made.annotate(taken_down=ARTIFACT_BLOCKED).order_by("-updated_at").first()
    if master is None:
        raise NotFound(
            'It has no HLS: POST to its :transcode with {"profiles": ["hls"]}.', code="no_hls"
        )
    if getattr(master, "taken_down", False):
        raise LegalReasons
    life_s = settings.play_s + int(video.duration_s or 0)
    token = tokens.sign(
        settings, master.id, life_s=life_s, audience=AUDIENCE, org=str(member.organization_id)
    )
    return PlayingOut(
        url=f"{settings.base_url}/play/{token}/master.m3u8",
        expires_at=datetime.fromtimestamp(int(time.time()) + life_s, UTC),
    )


async def playlist_of(token: str, filename: str, settings: Settings, store: Store) -> bytes:
    """A playlist of the ladder that the link was made for, as it is now.

    Raises
    ------
    Forbidden
        `link_invalid` for a link that is not ours, was changed, or has expired.
    NotFound, LegalReasons
        where the ladder was deleted, or is taken down.
    """
    try:
        claims = tokens.verify(token, settings.signing_secrets, audience=AUDIENCE)
        master_id, organization_id = UUID(claims["sub"]), UUID(claims["org"])
    except (Unauthorized, KeyError, ValueError):
        raise Forbidden("Ask the API for a new link.", code="link_invalid") from None
    ours = ArtifactRow.filter(organization_id=organization_id)
    master = await ours.annotate(taken_down=ARTIFACT_BLOCKED).get_or_none(id=master_id)
    if master is None:
        raise NotFound("What this link played was deleted.")
    if getattr(master, "taken_down", False):
        raise LegalReasons
    files = {row.filename: row for row in await ours.filter(job_id=master.job_id)}
    row = files.get(filename)
    if row is None or row.kind not in (MASTER, PLAYLIST) or row.size_bytes > MAX_PLAYLIST_BYTES:
        raise NotFound(f"There is no playlist {filename} here.")
    text = await store.get(row.key)
    if text is None:
        raise NotFound("The bytes of this playlist are gone.", code="object_missing")
    for media in files.values():
        if media.kind == MEDIA and media.filename.encode() in text:
            link = await store.presign_download(
                media.key,
                filename=media.filename,
                content_type=media.content_type,
                expires_s=max(1, int(claims["exp"] - time.time())),
            )
            text = text.replace(media.filename.encode(), link.encode())
    return text
