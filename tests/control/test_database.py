"""The schema: what the migrations build is what the models say, and building it twice is safe."""

import asyncio
from importlib import import_module
from pathlib import Path

import asyncpg
from tortoise import Tortoise
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.operations import AddField

from control import database, migrations


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


def test_a_column_that_is_added_later_suits_the_rows_that_are_there():
    folder = Path(migrations.__file__).parent
    for path in sorted(folder.glob("0*.py")):
        module = import_module(f"control.migrations.{path.stem}")
        for operation in module.Migration.operations:
            if isinstance(operation, AddField):
                field = operation.field
                assert field.null or field.has_db_default(), f"{path.stem}: {operation.name}"
