"""Writing the audit trail, always inside the transaction of the change itself."""

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from sanic import Request
from sanic.exceptions import SanicException, ServerError
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.models import Model

from control.audit.models import AuditLog

if TYPE_CHECKING:
    from control.access import Member, SignedIn

SECRET_WORDS = ("password", "secret", "token", "digest", "hash")


async def record(
    using: BaseDBAsyncClient,
    actor: "Member | SignedIn | None",
    action: str,
    resource: Model | tuple[str, UUID | str | None],
    *,
    before: Any = None,
    after: Any = None,
    detail: Any = None,
    organization_id: UUID | None = None,
) -> AuditLog:
    """Note that `actor` (None: the system) did `action` to `resource`.

    `using` is the transaction of the change, so that neither exists without the other. `before`
    and `after` are dicts or models, a `detail` that is a text is kept as its note; values of fields
    that sound secret are masked.
    `organization_id` is the actor's unless given.
    """
    request = _request()
    kind, key = (
        resource
        if isinstance(resource, tuple)
        else (type(resource).__name__.lower(), str(resource.pk))
    )
    return await AuditLog.create(
        using_db=using,
        id=uuid4(),
        organization_id=organization_id or getattr(actor, "organization_id", None),
        actor_id=actor.user_id if actor else None,
        actor_kind="user" if actor else "system",
        action=action,
        resource_type=kind,
        resource_id=None if key is None else str(key),
        before=_safe(before),
        after=_safe(after),
        detail=_safe({"note": detail} if isinstance(detail, str) else detail),
        request_id=str(request.id)[:200] if request else None,
        address=(request.remote_addr or request.ip)[:64] if request else None,
    )


def _request() -> Request | None:
    try:
        return Request.get_current()
    except (ServerError, SanicException, LookupError):
        return None


def _safe(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_unset=True)
    return _masked(to_jsonable_python(value, fallback=str, inf_nan_mode="null"))


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: "***"
            if item is not None and any(word in name.lower() for word in SECRET_WORDS)
            else _masked(item)
            for name, item in value.items()
        }
    return [_masked(item) for item in value] if isinstance(value, list) else value
