"""Texts kept from one query to the next: they answer as Tortoise does, and never for another."""

import logging

import pytest
from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from control.compiled import count, one, select
from control.errors import NotFound
from control.projects.models import Project
from control.records import find
from control.videos.models import Video, VideoStatus


@pytest.fixture
async def project(owner):
    return await Project.create(organization_id=owner.organization_id, name="Talks")


async def test_a_row_is_what_tortoise_makes_of_it(owner, project):
    found, again = (
        await one(Project.of(owner), project.id),
        await one(Project.of(owner), project.id),
    )
    theirs = await Project.get(id=project.id)
    for row in (found, again):
        assert dict(row) == dict(theirs)
        row.name = "Renamed"
        await row.save()
    assert (await Project.get(id=project.id)).name == "Renamed"


async def test_the_row_of_a_stranger_is_not_found_by_a_text_kept_for_its_owner(
    owner, other_org, project
):
    assert await find(Project.of(owner), project.id) == project
    with pytest.raises(NotFound):
        await find(Project.of(other_org), project.id)
    assert await count(Project.of(owner)) == 1
    assert await count(Project.of(other_org)) == 0


async def test_a_transaction_finds_what_it_wrote_itself(owner, project):
    await find(Project.of(owner), project.id)
    async with in_transaction() as tx:
        await Project.filter(id=project.id).using_db(tx).update(name="Unsaid")
        assert (await find(Project.of(owner).using_db(tx), project.id)).name == "Unsaid"
        await tx.rollback()
    assert (await find(Project.of(owner), project.id)).name == "Talks"


async def test_a_row_that_is_to_be_locked_is_locked_whatever_was_found_before(
    owner, project, caplog
):
    await find(Project.of(owner), project.id)
    with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
        async with in_transaction() as tx:
            await find(Project.of(owner).using_db(tx).select_for_update(), project.id)
    assert any("FOR UPDATE" in record.args[0] for record in caplog.records if record.args)


async def test_conditions_that_are_no_comparisons_are_asked_of_tortoise_each_time(owner, project):
    named = Project.of(owner).filter(name__in=["Talks"])
    assert await one(named, project.id) == project
    assert await count(named) == 1
    assert await count(Project.of(owner).filter(name__in=["Walks"])) == 0


async def test_what_is_null_and_what_is_not_are_two_texts_and_need_no_value(owner, project):
    sent = Q(upload_until__isnull=False, ingest_job_id__isnull=True)
    await Video.create(
        organization_id=owner.organization_id, project=project, filename="a", source="url",
        status=VideoStatus.READY,
    )  # fmt: skip
    ours = Video.of(owner).filter(project_id=project.id)
    kinds = [
        (ours.exclude(sent), 1),
        (ours.filter(sent), 0),
        (ours.filter(upload_until__isnull=True), 1),
        (ours.filter(upload_until__isnull=False), 0),
    ]
    for _ in range(2):
        for wanted, many in kinds:
            assert await count(wanted) == many
            rows = await select(wanted, {"name": "filename"}, ("id",), 10, 0)
            assert len(rows) == many
