"""Organisations and who belongs to them."""

from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields

from control.access import Role
from control.records import Record

if TYPE_CHECKING:
    from control.users.models import User


class MemberStatus(StrEnum):
    INVITED = "invited"
    ACTIVE = "active"
    SUSPENDED = "suspended"


class Organization(Record):
    name = fields.CharField(max_length=200)

    class Meta:
        table = "organizations"


class Membership(Record):
    organization: fields.ForeignKeyRelation[Organization] = fields.ForeignKeyField(
        "models.Organization", related_name="memberships", on_delete=fields.CASCADE
    )
    organization_id: UUID
    user: fields.ForeignKeyRelation["User"] = fields.ForeignKeyField(
        "models.User", related_name="memberships", on_delete=fields.CASCADE
    )
    user_id: UUID
    role = fields.CharEnumField(Role, max_length=32)
    status = fields.CharEnumField(MemberStatus, max_length=32, default=MemberStatus.ACTIVE)

    class Meta:
        table = "memberships"
        unique_together = (("organization", "user"),)
        indexes = (("user_id",),)
