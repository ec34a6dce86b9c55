from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [("models", "0012_clip_tags")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Video",
            name="upload_until",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.RunSQL(
            "UPDATE videos SET upload_until = created_at + interval '1 hour' "
            "WHERE status = 'awaiting_upload'",
            reverse_sql="",
        ),
        ops.RunSQL(
            "CREATE INDEX videos_uploads ON videos (upload_until, id) WHERE upload_key IS NOT NULL",
            reverse_sql="DROP INDEX videos_uploads",
        ),
    ]
