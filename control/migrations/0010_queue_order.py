from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("models", "0009_revisions")]

    initial = False

    operations = [
        ops.RemoveIndex(
            model_name="Job",
            name=None,
            fields=["state", "kind", "priority", "queued_at"],
        ),
        ops.AddIndex(
            model_name="Job",
            index=Index(fields=["organization_id", "finished_at"]),
        ),
        ops.AddIndex(
            model_name="Job",
            index=Index(fields=["video_id", "kind"]),
        ),
        ops.AddIndex(
            model_name="Video",
            index=Index(fields=["project_id", "status"]),
        ),
        ops.RunSQL(
            "CREATE INDEX jobs_queue ON jobs (kind, priority DESC, queued_at, id) "
            "WHERE state = 'queued'",
            reverse_sql="DROP INDEX jobs_queue",
        ),
    ]
