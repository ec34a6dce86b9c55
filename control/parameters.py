"""What a request must not carry: parameters nobody reads, and an `If-Match` that is no ETag.

A misspelt filter that is passed over in silence lists everything; a precondition that can never
hold says that somebody else was faster. Both are refused by name instead.
"""

import re

from sanic import Request

from control.errors import BadRequest, Invalid
from control.openapi import handler_of, is_websocket, parameters_of
from control.records import IF_MATCH, IF_MATCH_WORDS


async def check(request: Request) -> None:
    """Refuse what the route's document does not know.

    Raises
    ------
    BadRequest
        400 for an `If-Match` that is neither `*` nor ETags.
    Invalid
        422 for a parameter of the query that the operation does not have.
    """
    wanted = request.headers.get("if-match")
    if wanted is not None and not re.fullmatch(IF_MATCH, wanted.strip()):
        raise BadRequest(f"If-Match takes {IF_MATCH_WORDS}", code="malformed_if_match")
    if not request.query_string or request.route is None or is_websocket(request.route):
        return
    known = parameters_of(handler_of(request.route))
    unknown = request.get_args(keep_blank_values=True).keys() - known
    if unknown:
        message = f"is none of {', '.join(sorted(known))}" if known else "is not a parameter here"
        raise Invalid(errors=[{"at": name, "message": message} for name in sorted(unknown)])
