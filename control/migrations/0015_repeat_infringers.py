from tortoise import migrations
from tortoise.migrations import operations as ops
from control.dmca.models import NoticeStatus
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [("models", "0014_webhook_signatures")]

    initial = False

    operations = [
        ops.AlterField(
            model_name="DmcaNotice",
            name="status",
            field=fields.CharEnumField(
                description="INCOMPLETE: incomplete\nVALIDATED: validated\nCONTENT_DISABLED: content_disabled\nUPLOADER_NOTIFIED: uploader_notified\nCOUNTER_RECEIVED: counter_received\nFORWARDED: forwarded\nREPEAT_INFRINGER_ACTION: repeat_infringer_action\nCOURT_HOLD: court_hold\nRESTORED: restored\nWITHDRAWN: withdrawn\nREJECTED: rejected",
                enum_type=NoticeStatus,
                max_length=32,
            ),
        ),
    ]
