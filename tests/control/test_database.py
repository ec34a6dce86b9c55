"""The schema: what the migrations build is what the models say, and building it twice is safe."""

import asyncio

import asyncpg
from tortoise import Tortoise
from tortoise.migrations.autodetector import MigrationAutodetector

from control import database


async def test_the_models_have_nothing_that_the_migrations_lack(app):
    apps = database.config(app.ctx.settings.database_url)["apps"]
    changes = await MigrationAutodetector(Tortoise.apps, apps).changes()
    assert [writer.operations for writer in changes] == []


def test_servers_that_start_at_once_migrate_once(postgres):
    admin = postgres.replace("template_cutroom", "postgres")
    url = postgres.replace("template_cutroom", "migrated_twice")

    async def create():
        connection = await asyncpg.connect(admin)
        await connection.execute("CREATE DATABASE migrated_twice")
        await connection.close()

    async def tables():
        connection = await asyncpg.connect(url)
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        await connection.close()
        return {row["tablename"] for row in rows}

    asyncio.run(create())
    for _ in range(2):
        asyncio.run(database.migrate(url))
    assert {"users", "organizations", "memberships", "projects"} <= asyncio.run(tables())
