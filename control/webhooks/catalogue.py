"""The types of events there are, and which one the end of a job is."""

from control.jobs.models import Job, JobState
from ray_jobs.contract import JobKind

EVERYTHING = "*"

EVENTS = {
    "video.ingested": "A recording was checked and prepared.",
    "video.transcoded": "Other sizes of a recording were made.",
    "transcript.completed": "Speech was written down, or a given text was timed.",
    "transcript.updated": "Words were edited or timed anew.",
    "clips.generated": "Clips were found in a recording.",
    "clip.updated": "A person changed a clip.",
    "subtitles.styled": "A clip's subtitles were styled.",
    "narration.completed": "A narration was spoken and mixed.",
    "export.completed": "Clips were rendered and verified.",
    "retell.completed": "A retelling was written or rendered.",
    "brand.asset.ready": "An uploaded brand asset was opened and can be used.",
    "job.failed": "A job ended without a result; its problem says why.",
    "job.cancelled": "A person cancelled a job.",
    "artifact.registered": "A person registered an object of their own.",
    "qa.run.created": "A QA run was opened.",
    "qa.finding.updated": "A finding's status, severity or text changed.",
    "qa.assignment.updated": "A finding's assignee or due date changed.",
    "dmca.notice.updated": "A DMCA notice moved to another state.",
    "billing.payment.updated": "A payment moved to another state.",
    "webhook.disabled": "An endpoint of yours was switched off, because nothing arrived there.",
    "webhook.test": "Somebody pressed the test button.",
}

ENDED = {
    JobKind.INGEST: "video.ingested",
    JobKind.TRANSCODE: "video.transcoded",
    JobKind.TRANSCRIBE: "transcript.completed",
    JobKind.ALIGN: "transcript.updated",
    JobKind.FIND_CLIPS: "clips.generated",
    JobKind.STYLE_SUBTITLES: "subtitles.styled",
    JobKind.NARRATE: "narration.completed",
    JobKind.EXPORT: "export.completed",
    JobKind.RETELL: "retell.completed",
    JobKind.CHECK_ASSET: "brand.asset.ready",
}


def event_of(job: Job) -> str | None:
    """The event that a job's end is; None while it has not ended."""
    match job.state:
        case JobState.SUCCEEDED:
            return ENDED[JobKind(job.kind)]
        case JobState.FAILED:
            return "job.failed"
        case JobState.CANCELLED:
            return "job.cancelled"
        case _:
            return None
