"""Some of everything for one organisation, in as many rows as a test wants."""

import re

FULL = 120  # two full pages of 50 and more
TABLES = {
    "projects": {},
    "videos": {"project_id": "project", "filename": "'talk.mp4'", "status": "'ready'"},
    "jobs": {
        "project_id": "project", "video_id": "video", "kind": "'find_clips'", "steps": "'[]'",
        "state": "CASE WHEN n % 10 = 0 THEN 'queued' ELSE 'succeeded' END",
        "result": """'{"passed_over": []}'""", "started_at": "now()", "finished_at": "now()",
    },
    "clips": {
        "project_id": "project", "video_id": "video", "parts": "'[]'", "segment_ids": "'[]'",
        "crop_track": "'[]'", "edits": "'[]'", "rank": "n", "status": "'suggested'", "end_s": "1",
    },
    "transcripts": {"video_id": "video", "segments": "'[]'"},
    "transcript_revisions": {"transcript_id": "transcript", "revision": "n", "diff": "'[]'"},
    "retells": {
        "project_id": "project", "video_id": "video", "transcript_id": "transcript",
        "job_id": "job", "outline": "'[]'", "script": "'[]'",
    },
    "artifacts": {
        "project_id": "project", "video_id": "video", "clip_id": "clip", "job_id": "job",
        "kind": "'hls_master'", "sha256": "repeat('0', 64)",
    },
    "audit_logs": {"action": "'video.created'", "resource_type": "'video'", "actor_kind": "'user'"},
    "audit_checkpoints": {"seq": "n"},
    "webhook_endpoints": {"events": """'["*"]'""", "status": "'enabled'"},
    "webhook_deliveries": {
        "endpoint_id": "endpoint", "type": "'job.succeeded'", "content": "'{}'",
        "attempts": "'[]'", "next_attempt_at": "now()",
        "status": "CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'delivered' END",
    },
    "usage_events": {"event_id": "'event-' || n", "meter": "'processed_minutes'", "unit": "'min'"},
    "subscriptions": {"plan": "'unlimited'", "period_start": "now()"},
    "payments": {
        "order_id": "'order-' || $2 || '-' || n", "history": "'[]'", "status": "'pending'",
        "gateway": "'sandbox'",
    },
    "metric_series": {
        "id": "md5($2 || n)::uuid", "name": "'qa.score'",
        "labels_key": """'{"shard": "' || n || '"}'""",
    },
    "metric_points": {"series_id": "md5($2 || 1 + n % {series})::uuid", "at": "now()"},
    "dmca_notices": {
        "status": "'validated'", "missing": "'[]'", "sha256s": "'[]'", "history": "'[]'",
        "claim": """'{"signature": "A", "works": ["A"], "material": []}'""",
    },
    "qa_runs": {"reference_artifact_ids": "'[]'", "status": "'open'", "author_id": "person"},
    "qa_findings": {"run_id": "run", "severity": "'minor'", "status": "'open'", "history": "'[]'"},
    "qa_reviews": {"run_id": "run", "state": "'pending'"},
    "brand_kits": {"placement": "'{}'"},
    "brand_assets": {"kit_id": "kit", "kind": "'logo'", "status": "'checking'"},
    "api_keys": {"user_id": "person", "digest": "md5($2 || n)", "role": "'viewer'"},
}  # fmt: skip
NAMES = {
    "projects": "project", "videos": "video", "jobs": "job", "clips": "clip",
    "transcripts": "transcript", "retells": "retell", "webhook_endpoints": "endpoint",
    "qa_runs": "run", "brand_kits": "kit", "artifacts": "artifact",
    "webhook_deliveries": "delivery", "dmca_notices": "notice", "qa_findings": "finding",
    "api_keys": "key", "brand_assets": "asset",
}  # fmt: skip
LARGE = {
    "videos", "jobs", "clips", "artifacts", "audit_logs", "webhook_deliveries", "usage_events",
    "metric_points",
}  # fmt: skip
FALLBACKS = {
    "uuid": "gen_random_uuid()", "timestamp with time zone": "now() - n * interval '1 second'",
    "character varying": "'x'", "text": "'x'", "integer": "0", "bigint": "0", "smallint": "0",
    "boolean": "false", "jsonb": "'{}'", "double precision": "0", "numeric": "1",
}  # fmt: skip


async def fill(database, person, rows):
    """Rows for one organisation in every table; returns one id of each kind of thing.

    Columns that a test does not care for get the plainest value of their type.
    """
    known = {"person": f"'{person.user.id}'"}
    ids = {}
    for table, given in TABLES.items():
        columns = await database.fetch(
            "SELECT column_name AS name, data_type AS type, is_nullable = 'NO' AS needed, "
            "column_default AS fallback FROM information_schema.columns WHERE table_name = $1",
            table,
        )
        values = {}
        for name, kind, needed, fallback in columns:
            if name == "organization_id":
                values[name] = "$1::uuid"
            elif name in given:
                values[name] = known.get(given[name], given[name])
            elif needed and not fallback and not (name == "id" and kind == "bigint"):
                values[name] = FALLBACKS[kind]
        series = max(1, rows // 1000)
        few = {"metric_series": series, "subscriptions": 1}.get(table, min(rows, FULL))
        count = rows if table in LARGE else few
        sql = (
            f"INSERT INTO {table} ({', '.join(values)}) SELECT {', '.join(values.values())} "
            f"FROM generate_series(1, {count}) n WHERE $1::uuid IS NOT NULL AND $2::text <> ''"
        )
        sql = sql.replace("{series}", str(series))
        await database.execute(sql, person.organization_id, str(person.organization_id))
        if table in NAMES:
            ids[NAMES[table]] = await database.fetchval(
                f"SELECT id FROM {table} WHERE organization_id = $1 LIMIT 1",
                person.organization_id,
            )
            known[NAMES[table]] = f"'{ids[NAMES[table]]}'"
    return ids


def address(path, person, ids):
    own = {
        "organization_id": person.organization_id, "membership_id": person.membership.id,
        "user_id": person.user.id, "order_id": f"order-{person.organization_id}-1",
        "brand_kit_id": ids["kit"],
    }  # fmt: skip
    return re.sub(r"{(\w+)}", lambda m: str(own.get(m[1]) or ids[m[1].removesuffix("_id")]), path)
