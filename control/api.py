"""The map of the API: every blueprint once, under the door it stands behind."""

from sanic import Blueprint
from sanic.blueprints import BlueprintGroup

from control.access import require_member, require_user, require_worker
from control.projects import routes as project_routes

OPEN: BlueprintGroup = Blueprint.group(url_prefix="/v1")

USER: BlueprintGroup = Blueprint.group(url_prefix="/v1")

MEMBER: BlueprintGroup = Blueprint.group(
    project_routes.blueprint,
    url_prefix="/v1",
)

WORKER: BlueprintGroup = Blueprint.group(url_prefix="/v1")

USER.on_request(require_user)
MEMBER.on_request(require_member)
WORKER.on_request(require_worker)

DOORS = {"open": OPEN, "user": USER, "member": MEMBER, "worker": WORKER}
