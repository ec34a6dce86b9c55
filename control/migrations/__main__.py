"""`python -m control.migrations <name>` writes what the models have and the schema lacks."""

import asyncio
import sys

from tortoise.cli.cli import CLIContext, makemigrations

from control.database import config

TORTOISE_ORM = config("postgresql://localhost/unused")

if __name__ == "__main__":
    here = CLIContext("control.migrations.__main__.TORTOISE_ORM", None)
    asyncio.run(makemigrations(here, (), empty=False, name=next(iter(sys.argv[1:]), None)))
