from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [("models", "0013_upload_ends")]

    initial = False

    operations = [
        ops.AddField(
            model_name="WebhookEndpoint",
            name="public_key",
            field=fields.CharField(null=True, max_length=100),
        ),
        ops.RunSQL(
            "CREATE SEQUENCE webhook_sequence", reverse_sql="DROP SEQUENCE webhook_sequence"
        ),
    ]
