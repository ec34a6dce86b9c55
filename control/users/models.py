"""People. An invited one has no password yet."""

from tortoise import fields

from control.records import Record


class User(Record):
    """`email_key` is the case-folded address: two spellings of one address are one person."""

    email = fields.CharField(max_length=254)
    email_key = fields.CharField(max_length=254, unique=True)
    name = fields.CharField(max_length=200)
    password_hash = fields.CharField(max_length=255, null=True)
    is_admin = fields.BooleanField(default=False)
    is_active = fields.BooleanField(default=True)

    class Meta:
        table = "users"
        indexes = (("created_at", "id"),)
