"""What `cutroom serve` runs in child processes: `python -m control.tasks <name>`."""

import asyncio
import json
import socket
import sys

from control import database
from control.access import Role
from control.app import create_app
from control.audit import chain, checkpoints
from control.auth.tokens import sign
from control.jobs.lifecycle import sweep
from control.organizations.models import Membership, MemberStatus, Organization
from control.settings import Settings
from control.users.models import User

SCRIPT_TOKEN_S = 30 * 86400
FIRST_EMAIL = "owner@cutroom.localhost"


def http(settings: Settings) -> None:
    """Serve the API until told to stop, beside as many processes of its kind as there are."""
    app = create_app(settings)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((settings.host, settings.port))
        app.run(sock=listener, single_process=True, motd=False, access_log=False)


def migrate(settings: Settings) -> None:
    """Bring the database to the newest schema."""
    asyncio.run(database.migrate(settings.database_url))


def release(settings: Settings) -> None:
    """Queue again what was running when the server last stopped: its Ray is gone."""

    async def run() -> None:
        await database.start(settings)
        try:
            await sweep(everything=True)
        finally:
            await database.stop()

    asyncio.run(run())


def bootstrap(settings: Settings) -> None:
    """Print a token of the first user as JSON, making that user where there is nobody yet."""

    async def run() -> dict[str, str]:
        await database.start(settings)
        try:
            return await first_user(settings)
        finally:
            await database.stop()

    sys.stdout.write(json.dumps(asyncio.run(run())))


def verify_audit(settings: Settings) -> None:
    """Print how many entries each chain has; exit with 1 where one is broken."""

    async def run() -> list[str]:
        await database.start(settings)
        broken = []
        try:
            ids = [organization.id for organization in await Organization.all()]
            for organization_id in (None, *ids):
                entries, broken_at = await chain.verify(organization_id)
                name = organization_id or "the instance"
                sys.stdout.write(f"{name}: {entries} entries\n")
                _, disputed_at = await checkpoints.verify(settings, organization_id)
                if broken_at:
                    broken.append(f"the chain of {name} is broken at entry {broken_at}")
                if disputed_at:
                    broken.append(f"entry {disputed_at} of {name} is not what was signed")
        finally:
            await database.stop()
        return broken

    if broken := asyncio.run(run()):
        sys.exit("; ".join(broken))


async def first_user(settings: Settings) -> dict[str, str]:
    """A token for the instance's first owner, who has no password until one is set."""
    if not await User.exists():
        user = await User.create(
            email=FIRST_EMAIL, email_key=FIRST_EMAIL, name="Owner", is_admin=True
        )
        organization = await Organization.create(name="Home")
        await Membership.create(
            user=user, organization=organization, role=Role.OWNER, status=MemberStatus.ACTIVE
        )
    membership = (
        await Membership.filter(
            user__is_admin=True, user__is_active=True, role=Role.OWNER, status=MemberStatus.ACTIVE
        )
        .order_by("created_at", "id")
        .first()
    )
    if membership is None:
        return {}
    return {
        "token": sign(settings, membership.user_id, life_s=SCRIPT_TOKEN_S),
        "organization_id": str(membership.organization_id),
    }


TASKS = {task.__name__: task for task in (http, migrate, release, bootstrap, verify_audit)}

if __name__ == "__main__":
    TASKS[sys.argv[1]](Settings.from_environment())
