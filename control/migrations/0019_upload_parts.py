from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [("models", "0018_audit_checkpoints")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Video",
            name="upload_session",
            field=fields.CharField(null=True, max_length=1024),
        ),
    ]
