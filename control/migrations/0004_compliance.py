from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index

# An entry may be chained once; it goes only when its whole organisation does, by the cascade.
APPEND_ONLY = """
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND pg_trigger_depth() > 1 THEN RETURN OLD; END IF;
    IF TG_OP = 'UPDATE' AND OLD.seq IS NULL AND NEW.seq IS NOT NULL
       AND (to_jsonb(NEW) - 'seq' - 'chain_hash') = (to_jsonb(OLD) - 'seq' - 'chain_hash')
    THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'the audit trail is append-only';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0003_billing")]

    initial = False

    operations = [
        ops.AddField(
            model_name="AuditLog",
            name="chain_hash",
            field=fields.CharField(null=True, max_length=64),
        ),
        ops.AddField(
            model_name="AuditLog",
            name="seq",
            field=fields.BigIntField(null=True),
        ),
        ops.AddIndex(
            model_name="AuditLog",
            index=Index(fields=["organization_id", "seq"]),
        ),
        ops.RunSQL(APPEND_ONLY, "DROP FUNCTION audit_append_only CASCADE"),
    ]
