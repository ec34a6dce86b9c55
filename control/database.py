"""PostgreSQL through Tortoise: which models there are, connecting, migrating.

New or changed models need a migration: `python -m control.migrations <name>`.
"""

from typing import Any

import asyncpg
from tortoise import Tortoise, connections
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.migrations.api import migrate as tortoise_migrate

from control.settings import Settings

MODELS = [
    "control.organizations.models",
    "control.users.models",
    "control.auth.models",
    "control.audit.models",
    "control.idempotency",
    "control.projects.models",
    "control.videos.models",
    "control.jobs.models",
    "control.transcripts.models",
    "control.clips.models",
    "control.retell.models",
    "control.artifacts.models",
    "control.webhooks.models",
    "control.billing.models",
    "control.dmca.models",
    "control.observability.models",
    "control.qa.models",
    "control.branding.models",
]
MIGRATION_LOCK = 0x637574726F6F6D  # "cutroom": one migration at a time per database


def config(database_url: str, *, pool: int = 10) -> dict[str, Any]:
    """Tortoise's configuration for a PostgreSQL URL."""
    connection = expand_db_url(database_url)
    connection["credentials"] |= {
        "minsize": 1,
        "maxsize": pool,
        # asyncpg would send a RESET after every statement; no session of ours holds anything to
        # reset: locks and settings are a transaction's, listeners have connections of their own.
        "reset": _nothing,
        "server_settings": {"timezone": "UTC", "application_name": "cutroom"},
    }
    return {
        "connections": {"default": connection},
        "apps": {
            "models": {
                "models": MODELS,
                "default_connection": "default",
                "migrations": "control.migrations",
            }
        },
        "use_tz": True,
        "timezone": "UTC",
    }


async def _nothing(_: asyncpg.Connection) -> None:
    """What is to be reset when a connection goes back to the pool."""


async def start(settings: Settings) -> None:
    """Connect this process; afterwards every coroutine of it can query."""
    # Sanic runs handlers outside the context its listeners had: Tortoise's global fallback bridges.
    await Tortoise.init(
        config=config(settings.database_url, pool=settings.database_pool),
        _enable_global_fallback=True,
    )


async def stop() -> None:
    await Tortoise.close_connections()


def default() -> BaseDBAsyncClient:
    """The pool, for statements that belong to no transaction."""
    connection: BaseDBAsyncClient = connections.get("default")
    return connection


async def migrate(database_url: str) -> None:
    """Bring the schema to the newest version; concurrent callers wait for one another."""
    holder = await asyncpg.connect(database_url)
    try:
        await holder.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        await tortoise_migrate(config=config(database_url, pool=2))
    finally:
        await Tortoise.close_connections()
        await holder.close()
