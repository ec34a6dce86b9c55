"""Playing a video's HLS ladder; players carry no tokens, so the playlists' links are signed."""

from uuid import UUID

from sanic import Blueprint, HTTPResponse, Request, raw

from control.bodies import reply
from control.openapi import spec
from control.play.ladders import link_to, playlist_of
from control.play.schemas import PlayingOut
from control.records import find
from control.videos.models import Video

blueprint = Blueprint("play")
playlists = Blueprint("playlists", url_prefix="/play")


@blueprint.get("/videos/<video_id:uuid>/hls")
@spec(returns=PlayingOut)
async def play_video(request: Request, video_id: UUID) -> HTTPResponse:
    """A link that plays the video's HLS ladder, the one that was asked for last."""
    member = request.ctx.member
    video = await find(Video.of(member), video_id)
    return reply(await link_to(video, member, request.app.ctx.settings))


@playlists.get("/<token:str>/<filename:str>")
async def get_playlist(request: Request, token: str, filename: str) -> HTTPResponse:
    """A playlist of the ladder, with links to its media as they are signed now."""
    context = request.app.ctx
    text = await playlist_of(token, filename, context.settings, context.store)
    return raw(
        text,
        content_type="application/vnd.apple.mpegurl",
        headers={"Cache-Control": "private, no-store"},
    )
