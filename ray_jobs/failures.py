"""How a job ends early: with a coded failure, or because control said so."""


class Failure(Exception):
    """The job cannot be done; `code` is stable, `detail` tells a person what to do."""

    def __init__(self, code: str, detail: str, *, retryable: bool = False) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.retryable = retryable

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.code, self.detail, self.retryable))


def _rebuild(code: str, detail: str, retryable: bool) -> Failure:  # noqa: FBT001
    return Failure(code, detail, retryable=retryable)


class Cancelled(Exception):
    """Control answered a report with `cancel`."""


class Paused(Exception):
    """Control answered a report with `pause`; raised at a step boundary only."""


class Superseded(Exception):
    """A newer attempt owns the job: stop without another word."""
