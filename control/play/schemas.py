"""What a player needs."""

from datetime import datetime

from control.bodies import Out


class PlayingOut(Out):
    """`url` is a master playlist (RFC 8216) that needs no token; it dies with all it leads to."""

    url: str
    expires_at: datetime
