"""What notices and counter-notices look like from outside."""

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, computed_field, model_validator

from control.bodies import In, Out, Patch, exactly_one
from control.dmca.models import STRIKE_LIFE, NoticeStatus
from control.users.schemas import Email
from ray_jobs.contract import Truth

Line = Annotated[str, Field(min_length=1, max_length=500)]
Words = Annotated[str, Field(min_length=1, max_length=10_000)]


class Contact(In):
    name: Line
    email: Email
    address: Line | None = None
    phone: Annotated[str, Field(min_length=3, max_length=50)] | None = None


class Material(In):
    """What is to be taken down and where it lies: name a video, a clip or an artifact."""

    model_config = ConfigDict(json_schema_extra=exactly_one("video_id", "clip_id", "artifact_id"))

    video_id: UUID | None = None
    clip_id: UUID | None = None
    artifact_id: UUID | None = None
    description: Words | None = None

    @model_validator(mode="after")
    def _names_one(self) -> "Material":
        if sum(one is not None for one in (self.video_id, self.clip_id, self.artifact_id)) != 1:
            raise ValueError("name exactly one of video_id, clip_id and artifact_id")
        return self


class Claim(In):
    """The six elements of 17 U.S.C. 512(c)(3)(A); what is missing can be supplied later.

    `accurate_under_penalty_of_perjury` says too that the complainant may act for the owner.
    """

    signature: Line | None = None
    work: Words | None = None
    material: Material | None = None
    contact: Contact | None = None
    good_faith: Truth = False
    accurate_under_penalty_of_perjury: Truth = False


class CounterNotice(In):
    """17 U.S.C. 512(g)(3); the statements can only be made, not denied."""

    signature: Line
    material: Words
    name: Line
    address: Line
    phone: Annotated[str, Field(min_length=3, max_length=50)]
    mistaken_under_penalty_of_perjury: Literal[True]
    consent_to_jurisdiction: Literal[True]
    consent_to_service: Literal[True]


class NoticePatch(Patch):
    """Supply what was missing, add the counter-notice, or move the notice on."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"counter_notice": False}},
                {"properties": {"status": {"const": NoticeStatus.COUNTER_RECEIVED.value}}},
            ]
        }
    )

    claim: Claim | None = None
    status: NoticeStatus | None = None
    counter_notice: CounterNotice | None = None
    legal_hold: Truth = False
    note: Annotated[str, Field(max_length=2000)] | None = None


class NoticeMove(Out):
    at: datetime
    by: UUID | None
    status: NoticeStatus
    note: str | None = None


class NoticeOut(Out):
    """`restore_not_before` and `restore_not_after` are the 10th and 14th business day."""

    id: UUID
    status: NoticeStatus
    missing: list[str]
    claim: dict[str, Any]
    counter_notice: dict[str, Any] | None
    legal_hold: bool
    strike: int | None
    disabled_at: datetime | None
    restore_not_before: date | None
    restore_not_after: date | None
    history: list[NoticeMove]
    created_at: datetime
    updated_at: datetime


class StrikeOut(Out):
    """A takedown that counts against the organisation until `expires_at`."""

    columns: ClassVar[dict[str, str]] = {"notice_id": "id"}

    notice_id: UUID
    status: NoticeStatus
    disabled_at: datetime

    @computed_field
    def expires_at(self) -> datetime:
        return self.disabled_at + STRIKE_LIFE


class NoticeQuery(In):
    status: NoticeStatus | None = None
