"""What a request costs the database: its statements are counted, and their plans use an index.

Every GET of the router is asked of an organisation that has some of everything, so that a new
endpoint is counted on the day it is written.
"""

import json
import logging
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import asyncpg
import pytest

from control.access import MEMBERSHIP
from control.api import door_of
from control.jobs import queue
from control.openapi import is_websocket, operations
from control.records import now
from control.webhooks import delivery
from tests.control.filling import FULL, LARGE, address, fill

LIST_LIMIT = 2
ONE_LIMIT = 2
# What costs more, and why that is right.
MORE = {
    "GET /v1/audit/logs": 3,  # reading the trail is itself an entry of it
    "GET /v1/audit/logs:export": 2,
    "GET /v1/audit/logs:verify": 5,
    "GET /v1/observability/slo/job-completion": 4,  # the objective's window and three burn rates
}


@pytest.fixture(scope="module")
async def database(database_url):
    connection = await asyncpg.connect(database_url)
    # Checking the foreign keys of what is filled in would take most of the time.
    await connection.execute("SET session_replication_role = replica; SET synchronous_commit = off")
    yield connection
    await connection.close()


@contextmanager
def heard(caplog):
    """What Tortoise sends, as (text, values); BEGIN and COMMIT are not among it."""
    said = []
    with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
        caplog.clear()
        yield said
        said += [r.args for r in caplog.records if r.name == "tortoise.db_client" and r.args]


def reads(app):
    return [
        (f"{method} {path}", path, door_of(route), noted)
        for method, path, route, noted in operations(app)
        # An operator's metrics are of the whole instance, and no member may ask for them.
        if method == "GET" and not is_websocket(route) and door_of(route) != "operator"
    ]


def of_the_guard(door, text):
    return text == MEMBERSHIP if door == "member" else 'FROM "users"' in text


async def asked(client, caplog, person, path, door):
    """Ask; returns the answer and its statements, those of the guard left out."""
    with heard(caplog) as said:
        answer = await client.get(path, headers=person.headers)
    assert answer.status_code == 200, f"{path}: {answer.text}"
    assert of_the_guard(door, said[0][0]), said[0][0]
    return answer, said[1:]


async def test_a_list_takes_two_statements_and_a_row_no_more(client, app, owner, database, caplog):
    ids = await fill(database, owner, FULL)
    lists, too_many = 0, {}
    for line, path, door, noted in reads(app):
        where = address(path, owner, ids)
        pages = ["", "?limit=2", "?limit=2&offset=2", "?offset=1000"] if noted.lists else [""]
        lists += bool(noted.lists)
        for page in pages:
            answer, said = await asked(client, caplog, owner, where + page, door)
            limit = MORE.get(line, LIST_LIMIT if noted.lists else ONE_LIMIT)
            if len(said) > limit:
                too_many[line + page] = said
            if page == "?limit=2" and len(answer.json()["items"]) == 2:
                assert answer.json()["pagination"]["total"] >= 2
    assert not too_many
    assert lists > 25


def scanned(plan):
    """The tables that a plan reads from end to end."""
    own = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return own.union(*(scanned(part) for part in plan.get("Plans", ())))


async def planned(database, text, values=()):
    literal = [str(v) if isinstance(v, str) and len(v) == 36 else v for v in values]
    return json.loads(await database.fetchval(f"EXPLAIN (FORMAT JSON) {text}", *literal))[0]["Plan"]


@pytest.fixture(scope="module")
async def crowded(database):
    """100,000 rows of somebody else's in every large table."""
    stranger = SimpleNamespace(organization_id=uuid4(), user=SimpleNamespace(id=uuid4()))
    await fill(database, stranger, 100_000)


@pytest.mark.usefixtures("crowded")
async def test_no_read_walks_through_a_large_table(client, app, owner, database, caplog):
    ids = await fill(database, owner, 5_000)
    await database.execute("VACUUM ANALYZE")
    for line, path, door, noted in reads(app):
        if line.startswith("GET /v1/audit/logs:"):
            continue  # the whole trail is what they are asked for
        page = "?limit=50" if noted.lists else ""
        _, said = await asked(client, caplog, owner, address(path, owner, ids) + page, door)
        for text, values in said:
            if text.lstrip().startswith("SELECT"):
                walked = scanned(await planned(database, text, values or ()))
                assert not walked & LARGE, f"{line} reads all of {walked & LARGE}: {text}"


@pytest.mark.usefixtures("crowded")
async def test_the_queues_are_read_in_their_own_order(database):
    """A claim needs no sort: it can take the first rows of an index, however many wait."""
    await database.execute("VACUUM ANALYZE")
    moment = now()
    for claim in (
        (queue.CLAIM_SQL, ("find_clips", 4, moment, moment)),
        (delivery.CLAIM, (16, timedelta(seconds=60))),
    ):
        async with database.transaction():
            # Few waiting rows are sorted as cheaply; what counts is that none need be.
            await database.execute("SET LOCAL enable_sort = off")
            plan = await planned(database, *claim)
        assert not scanned(plan) & LARGE, plan
        assert "Sort" not in node_types(plan), plan
    backlog = await planned(
        database, "SELECT kind, count(*) AS jobs FROM jobs WHERE state = 'queued' GROUP BY kind"
    )
    assert not scanned(backlog) & LARGE, backlog


def node_types(plan):
    return {plan["Node Type"]}.union(*(node_types(part) for part in plan.get("Plans", ())))
