"""The one table of moves: which verb takes a job from which state to which."""

from enum import StrEnum

from control.errors import Conflict
from control.jobs.models import JobState as S


class Move(StrEnum):
    """Verbs of users (pause, resume, cancel, retry), of dispatch and of workers."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    CLAIM = "claim"
    RELEASE = "release"
    LOSE = "lose"
    GIVE_UP = "give_up"
    SUCCEED = "succeed"
    FAIL = "fail"
    AGAIN = "again"
    OBEY_PAUSE = "obey_pause"
    OBEY_CANCEL = "obey_cancel"


ACTIVE = (S.RUNNING, S.PAUSING, S.CANCELLING)
TERMINAL = (S.SUCCEEDED, S.FAILED, S.CANCELLED)
USER_MOVES = (Move.PAUSE, Move.RESUME, Move.CANCEL, Move.RETRY)

MOVES: dict[Move, dict[S, S]] = {
    Move.PAUSE: {S.QUEUED: S.PAUSED, S.RUNNING: S.PAUSING},
    Move.RESUME: {S.PAUSED: S.QUEUED, S.PAUSING: S.RUNNING},
    Move.CANCEL: {
        S.QUEUED: S.CANCELLED,
        S.PAUSED: S.CANCELLED,
        S.RUNNING: S.CANCELLING,
        S.PAUSING: S.CANCELLING,
    },
    Move.RETRY: {S.FAILED: S.QUEUED, S.CANCELLED: S.QUEUED},
    Move.CLAIM: {S.QUEUED: S.RUNNING},
    Move.RELEASE: {S.RUNNING: S.QUEUED, S.PAUSING: S.PAUSED, S.CANCELLING: S.CANCELLED},
    Move.LOSE: {S.RUNNING: S.QUEUED, S.PAUSING: S.PAUSED, S.CANCELLING: S.CANCELLED},
    Move.GIVE_UP: {S.RUNNING: S.FAILED, S.PAUSING: S.FAILED, S.CANCELLING: S.CANCELLED},
    Move.SUCCEED: dict.fromkeys(ACTIVE, S.SUCCEEDED),
    Move.FAIL: dict.fromkeys(ACTIVE, S.FAILED),
    Move.AGAIN: {S.RUNNING: S.QUEUED, S.PAUSING: S.PAUSED, S.CANCELLING: S.CANCELLED},
    # A worker that stops after the user changed their mind goes back to the queue.
    Move.OBEY_PAUSE: {S.PAUSING: S.PAUSED, S.RUNNING: S.QUEUED, S.CANCELLING: S.CANCELLED},
    Move.OBEY_CANCEL: {S.CANCELLING: S.CANCELLED, S.RUNNING: S.QUEUED, S.PAUSING: S.PAUSED},
}


def allowed(state: S) -> list[str]:
    """The verbs a user may use now."""
    return [move.value for move in USER_MOVES if state in MOVES[move]]


def after(move: Move, state: S) -> S:
    """The state a move leads to.

    Raises
    ------
    Conflict
        409 with the verbs that are allowed instead.
    """
    try:
        return MOVES[move][state]
    except KeyError:
        raise Conflict(
            f"A job that is {state} cannot {move.replace('_', ' ')}.",
            code="move_not_allowed",
            allowed=allowed(state),
        ) from None
