"""Projects: the folders of an organisation's work."""

from tortoise import fields

from control.records import TenantRecord


class Project(TenantRecord):
    name = fields.CharField(max_length=200)
    description = fields.TextField(default="")

    class Meta:
        table = "projects"
        indexes = (("organization_id", "created_at", "id"),)
