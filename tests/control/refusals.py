"""A check of schemathesis: a body that the document admits is never refused as a malformed one.

It may be refused for what is there, or is not: that is a 409, or a 422 whose code is not `invalid`.
Code `invalid` says that the body is not what the document says, and whoever gets it for a body that
is has been told too little. `UNSAID` are the rules that JSON Schema has no words for.
"""

import schemathesis
from schemathesis.core.failures import Failure

UNSAID = (
    # It compares no two values of one document, and knows no clock.
    "max_duration_s must not be less than min_duration_s",
    "range_end_s must be greater than range_start_s",
    "end_s must be greater than start_s",
    "end_s must not lie before start_s",
    "at_most must not be less than at_least",
    "must lie in the future",
    # `uniqueItems` is of whole items, not of one field of theirs; and lengths are not added up.
    "two rungs have the same height",
    "two renditions have the same name",
    "name at most 8 profiles and renditions",
    # `format: uri` is wider than what can be looked up, as in http://1.2.3.999.
    "Input should be a valid URL",
)


@schemathesis.check
def refused_as_malformed(_context, response, case):
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive or response.status_code != 422:
        return
    problem = response.json()
    if problem["code"] != "invalid":
        return
    for error in problem["errors"] or [{"at": "", "message": problem["detail"]}]:
        if not error["message"].startswith(UNSAID):
            raise Failure(
                operation=case.operation.label,
                title="Refused as malformed, though the document admits it",
                message=f"{error['at']}: {error['message']}",
            )
