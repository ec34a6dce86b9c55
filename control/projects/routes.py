"""`/v1/projects`."""

from uuid import UUID

from sanic import Blueprint, HTTPResponse, Request, empty
from tortoise.transactions import in_transaction

from control.access import Member, Role
from control.audit import trail
from control.bodies import body, reply
from control.dmca.blocks import refuse_held
from control.jobs.queue import refuse_busy
from control.openapi import spec
from control.paging import Page, listing
from control.projects.models import Project
from control.projects.schemas import CreateProject, ProjectOut, ProjectPatch
from control.projects.status import VIDEOS, add_status
from control.records import amend, check_if_match, find

blueprint = Blueprint("projects", url_prefix="/projects")


@blueprint.post("/")
@spec(body=CreateProject, returns=ProjectOut, status=201)
async def create_project(request: Request) -> HTTPResponse:
    """Start a project."""
    member, wanted = request.ctx.member, body(request, CreateProject)
    async with in_transaction() as tx:
        project = await Project.create(
            using_db=tx, organization_id=member.organization_id, **wanted.model_dump()
        )
        await trail.record(tx, member, "project.created", project, after=wanted)
    location = {"Location": f"/v1/projects/{project.id}"}
    return reply(await _shown(member, project.id), 201, location)


@blueprint.get("/")
@spec(lists=ProjectOut)
async def list_projects(request: Request) -> HTTPResponse:
    """The organisation's projects, newest first."""
    ours = Project.of(request.ctx.member).annotate(videos=VIDEOS)
    return await listing(ours, ProjectOut, Page.of(request), complete=add_status)


@blueprint.get("/<project_id:uuid>")
@spec(returns=ProjectOut)
async def get_project(request: Request, project_id: UUID) -> HTTPResponse:
    """One project."""
    return reply(await _shown(request.ctx.member, project_id))


@blueprint.patch("/<project_id:uuid>")
@spec(body=ProjectPatch, returns=ProjectOut)
async def change_project(request: Request, project_id: UUID) -> HTTPResponse:
    """Rename or describe a project."""
    member, patch = request.ctx.member, body(request, ProjectPatch)
    async with in_transaction() as tx:
        project = await find(Project.of(member).using_db(tx), project_id)
        before = await amend(project, patch, request=request, using=tx)
        await trail.record(tx, member, "project.updated", project, before=before, after=patch)
    return reply(await _shown(member, project.id))


@blueprint.delete("/<project_id:uuid>", ctx_role=Role.ADMIN)
@spec(status=204)
async def delete_project(request: Request, project_id: UUID) -> HTTPResponse:
    """Remove a project and all that belongs to it."""
    member = request.ctx.member
    async with in_transaction() as tx:
        project = await find(Project.of(member).using_db(tx).select_for_update(), project_id)
        check_if_match(request, project)
        await refuse_busy(tx, project_id=project.id)
        await refuse_held(tx, member, project_id=project.id)
        await trail.record(tx, member, "project.deleted", project, before={"name": project.name})
        await project.delete(using_db=tx)
    return empty()


async def _shown(member: Member, project_id: UUID) -> ProjectOut:
    project = await find(Project.of(member).annotate(videos=VIDEOS), project_id)
    row = {name: getattr(project, name, None) for name in ProjectOut.model_fields}
    add_status([row])
    return ProjectOut.model_validate(row)
