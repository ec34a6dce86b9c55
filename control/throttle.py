"""Rate limits: so many requests a minute, per person where one is signed in, else per address.

Counted in each HTTP process by itself: with `CUTROOM_HTTP_WORKERS` processes a caller may come up
to as many times through.
"""

import time
from math import ceil

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from sanic import Request

from control.errors import RateLimited

_limiter = MovingWindowRateLimiter(MemoryStorage())


async def person(request: Request) -> None:
    """Count a request against the person, or the key's owner, whose it is."""
    user = getattr(request.ctx, "user", None)
    if user is not None:
        await _count(request.app.ctx.settings.rate_per_minute, "person", str(user.user_id))


async def address(request: Request) -> None:
    """Count a request that needs no token against the address it comes from."""
    of = request.remote_addr or request.ip
    await _count(request.app.ctx.settings.open_rate_per_minute, "address", of)


async def _count(per_minute: int, kind: str, who: str) -> None:
    """Raise `RateLimited` for one too many; 0 a minute is without limit."""
    if not per_minute:
        return
    limit = RateLimitItemPerMinute(per_minute)
    if not await _limiter.hit(limit, kind, who):
        stats = await _limiter.get_window_stats(limit, kind, who)
        raise RateLimited(
            f"More than {per_minute} requests in a minute.",
            retry_after_s=max(1, ceil(stats.reset_time - time.time())),
        )
