"""Plans and what they entitle to; a self-hosted installation starts without limits."""

from dataclasses import dataclass

DEFAULT = "unlimited"


@dataclass(frozen=True)
class Plan:
    """None means without limit; `price_idr` is whole rupiah a month and seat."""

    price_idr: int
    max_seats: int | None
    processed_minutes: int | None


PLANS = {
    "unlimited": Plan(0, None, None),
    "starter": Plan(150_000, 3, 600),
    "team": Plan(400_000, 25, 6_000),
    "studio": Plan(900_000, 200, 60_000),
}
