"""From a retelling to the job that films it, and from its job to how it stands."""

from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.expressions import RawSQL

from control.access import Member
from control.errors import Conflict
from control.jobs.models import Job, JobState
from control.jobs.queue import enqueue
from control.retell.models import RetellRow
from control.retell.schemas import RetellOut, RetellStatus
from control.settings import Settings
from control.transcripts.models import Transcript
from control.videos.models import Video
from control.videos.source import source_of
from ray_jobs.contract import Retell, ScriptSentence, Segment

MANNER = {
    "language", "keep_share", "writer", "voice", "speaker", "speed", "max_stretch", "loudness",
    "ducking", "style", "aspect", "height", "encoder", "crf", "render_speed", "qa_gate",
}  # fmt: skip
JOB_STATE = RawSQL("(SELECT state FROM jobs WHERE jobs.id = retells.job_id)")
NEEDED = "Nothing is known of what is said: transcribe the video first."


def order_of(
    row: RetellRow, video: Video, transcript: Transcript, *, script: list[ScriptSentence] | None
) -> Retell:
    """The job's spec for the row's present version.

    Raises
    ------
    Conflict
        409 `transcript_needed`, `video_not_ready`, or `citation_missing` where the transcript has
        lost a segment that the script cites.
    """
    segments = [Segment.model_validate(segment) for segment in transcript.segments]
    if not any(segment.text.strip() for segment in segments):
        raise Conflict(NEEDED, code="transcript_needed")
    known = {segment.id for segment in segments}
    for sentence in script or ():
        if lost := [name for name in sentence.segment_ids if name not in known]:
            raise Conflict(
                f"Sentence {sentence.id} cites {lost[0]}, which the transcript no longer has.",
                code="citation_missing",
            )
    return Retell(
        source=source_of(video), retell_id=row.id, version=row.version, segments=segments,
        target_s=row.target_s, script=script, **row.manner,
    )  # fmt: skip


async def render(
    tx: BaseDBAsyncClient, member: Member, settings: Settings, row: RetellRow, *, priority: int = 0
) -> tuple[Job, bool]:
    """Queue the film of the row's script, which this transaction holds."""
    if not row.script:
        raise Conflict(
            "There is no script yet: wait for the first job, or start anew.", code="no_script"
        )
    video = await Video.of(member).using_db(tx).get(id=row.video_id)
    transcript = await Transcript.of(member).using_db(tx).get_or_none(id=row.transcript_id)
    if transcript is None:
        raise Conflict(NEEDED, code="transcript_needed")
    script = [ScriptSentence.model_validate(sentence) for sentence in row.script]
    job, found = await enqueue(
        member, order_of(row, video, transcript, script=script), project_id=row.project_id,
        video_id=row.video_id, priority=priority, max_attempts=settings.job_attempts, tx=tx,
    )  # fmt: skip
    row.job_id = job.id
    await row.save(using_db=tx, update_fields=["job_id", "updated_at"])
    return job, found


def add_status(rows: list[dict[str, Any]]) -> None:
    """Put `status` into rows of retellings, by the `job_state` of their newest jobs."""
    for row in rows:
        state = JobState(row["job_state"]) if row["job_state"] else None
        row["status"] = status_of(state, row["version"], row["rendered_version"])


async def shown(row: RetellRow) -> RetellOut:
    plain = {name: getattr(row, name) for name in RetellOut.model_fields if hasattr(row, name)}
    states = await Job.filter(id=row.job_id).values_list("state", flat=True) if row.job_id else []
    plain["job_state"] = next(iter(states), None)
    add_status([plain])
    return RetellOut.model_validate(plain)


def status_of(state: JobState | None, version: int, rendered: int | None) -> RetellStatus:
    match state:
        case JobState.QUEUED | JobState.PAUSED:
            return RetellStatus.QUEUED
        case JobState.RUNNING | JobState.PAUSING | JobState.CANCELLING:
            return RetellStatus.RENDERING
        case _ if rendered == version:
            return RetellStatus.READY
        case _ if rendered is not None and state is JobState.SUCCEEDED:
            return RetellStatus.EDITED
        case JobState.CANCELLED:
            return RetellStatus.CANCELLED
        case _:
            return RetellStatus.FAILED
