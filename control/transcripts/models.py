"""Transcripts: what was said, word by word, and every edit of it."""

from typing import Any
from uuid import UUID

from tortoise import fields

from control.records import TenantRecord
from control.videos.models import Video


class Transcript(TenantRecord):
    """`made_at` orders a video's transcripts: the one asked for last is the one that is used."""

    video: fields.ForeignKeyRelation[Video] = fields.ForeignKeyField(
        "models.Video", related_name=False, on_delete=fields.CASCADE
    )
    video_id: UUID
    job_id: UUID | None = fields.UUIDField(null=True)
    engine = fields.CharField(max_length=200)
    language = fields.CharField(max_length=32)
    given = fields.BooleanField(default=False)
    rough = fields.BooleanField(default=False)
    note = fields.TextField(null=True)
    segments: Any = fields.JSONField(default=list)
    revision = fields.IntField(default=1)
    made_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "transcripts"
        indexes = (("video_id", "made_at"),)


class TranscriptRevision(TenantRecord):
    """One edit: `diff` holds each segment it touched as it was and as it became.

    A side is None where the segment was not there; `place` is where it stood in the list.
    """

    transcript: fields.ForeignKeyRelation[Transcript] = fields.ForeignKeyField(
        "models.Transcript", related_name=False, on_delete=fields.CASCADE
    )
    transcript_id: UUID
    revision = fields.IntField()
    author_id: UUID | None = fields.UUIDField(null=True)
    note = fields.CharField(max_length=500, null=True)
    diff: Any = fields.JSONField(default=list)

    class Meta:
        table = "transcript_revisions"
        unique_together = (("transcript_id", "revision"),)
