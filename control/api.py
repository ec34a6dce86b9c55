"""The map of the API: every blueprint once, under the door it stands behind."""

from sanic import Blueprint
from sanic.blueprints import BlueprintGroup
from sanic_routing.route import Route

from control import idempotency, parameters, throttle
from control.access import require_member, require_user, require_worker
from control.artifacts import routes as artifacts
from control.audit import routes as audit
from control.auth import routes as auth
from control.billing import routes as billing
from control.branding import routes as branding
from control.clips import narration
from control.clips import routes as clips
from control.dmca import routes as dmca
from control.exports import routes as exports
from control.jobs import routes as jobs
from control.jobs import stream
from control.observability import exposition
from control.observability import routes as observability
from control.organizations import routes as organizations
from control.play import routes as play
from control.projects import routes as projects
from control.qa import routes as qa
from control.retell import routes as retell
from control.transcripts import routes as transcripts
from control.users import routes as users
from control.videos import routes as videos
from control.webhooks import routes as webhooks

OPEN: BlueprintGroup = Blueprint.group(
    auth.door,
    users.door,
    billing.notifications,
    url_prefix="/v1",
)

USER: BlueprintGroup = Blueprint.group(
    auth.blueprint,
    organizations.blueprint,
    users.blueprint,
    url_prefix="/v1",
)

MEMBER: BlueprintGroup = Blueprint.group(
    auth.keys,
    auth.tickets,
    organizations.members,
    projects.blueprint,
    videos.blueprint,
    play.blueprint,
    transcripts.blueprint,
    clips.blueprint,
    narration.blueprint,
    retell.blueprint,
    exports.blueprint,
    artifacts.blueprint,
    jobs.blueprint,
    stream.blueprint,
    audit.blueprint,
    webhooks.blueprint,
    billing.blueprint,
    dmca.blueprint,
    observability.blueprint,
    qa.blueprint,
    branding.blueprint,
    url_prefix="/v1",
)

OPERATOR: BlueprintGroup = Blueprint.group(exposition.blueprint)

WORKER: BlueprintGroup = Blueprint.group(
    jobs.worker_blueprint,
    url_prefix="/v1",
)

OPEN.on_request(throttle.address)
USER.on_request(require_user)
MEMBER.on_request(require_member)
for group in (USER, MEMBER):
    group.on_request(throttle.person)
    group.on_request(parameters.check)
OPERATOR.on_request(exposition.require_operator)
WORKER.on_request(require_worker)
for group in (USER, MEMBER):
    group.on_request(idempotency.begin)
    group.on_response(idempotency.finish)

DOORS = {"open": OPEN, "user": USER, "member": MEMBER, "operator": OPERATOR, "worker": WORKER}


def door_of(route: Route) -> str:
    """The name of the door a route of this API stands behind."""
    blueprint = route.name.split(".")[1]
    return next(
        name for name, door in DOORS.items() if blueprint in {b.name for b in door.blueprints}
    )
