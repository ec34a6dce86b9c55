"""A video as workers need to know it."""

from control.errors import Conflict
from control.videos.models import Video
from ray_jobs.contract import MediaInfo, ObjectRef, Source


def source_of(video: Video) -> Source:
    """The recording of a job's spec.

    Raises
    ------
    Conflict
        409 `video_not_ready` while ingest has not succeeded.
    """
    if video.object is None or video.media is None:
        raise Conflict(
            f"The video is {video.status}: wait until its ingest job has succeeded.",
            code="video_not_ready",
        )
    return Source(
        video_id=video.id,
        object=ObjectRef.model_validate(video.object),
        media=MediaInfo.model_validate(video.media),
        filename=video.filename,
    )
