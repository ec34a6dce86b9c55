"""The table of moves, and the database held against it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from control.errors import Conflict
from control.jobs.models import JobState as S
from control.jobs.states import ACTIVE, MOVES, TERMINAL, USER_MOVES, Move, after, allowed

STATES, VERBS = st.sampled_from(S), st.sampled_from(Move)


@given(STATES, VERBS)
def test_every_move_leads_to_a_state_or_is_refused_with_what_is_allowed(state, move):
    if move in MOVES and state in MOVES[move]:
        assert after(move, state) in S
        return
    with pytest.raises(Conflict) as refusal:
        after(move, state)
    assert (refusal.value.status, refusal.value.code) == (409, "move_not_allowed")
    assert refusal.value.extra["allowed"] == allowed(state)


@given(STATES)
def test_allowed_names_exactly_the_users_moves_that_work(state):
    works = []
    for move in USER_MOVES:
        try:
            after(move, state)
        except Conflict:
            continue
        works.append(move.value)
    assert allowed(state) == works


@given(st.sampled_from(TERMINAL), VERBS)
def test_an_end_is_left_by_retry_alone_and_success_never(state, move):
    if move is Move.RETRY and state is not S.SUCCEEDED:
        assert after(move, state) is S.QUEUED
    else:
        with pytest.raises(Conflict):
            after(move, state)


@given(st.sampled_from(ACTIVE), st.sampled_from([Move.RELEASE, Move.LOSE, Move.AGAIN]))
def test_a_job_that_loses_its_worker_does_what_the_user_asked_last(state, move):
    wanted = {S.RUNNING: S.QUEUED, S.PAUSING: S.PAUSED, S.CANCELLING: S.CANCELLED}
    assert after(move, state) is wanted[state]


@given(st.sampled_from(ACTIVE), st.sampled_from([Move.SUCCEED, Move.FAIL, Move.GIVE_UP]))
def test_a_worker_and_the_clock_can_end_whatever_runs(state, move):
    assert after(move, state) in TERMINAL


def test_a_job_runs_only_by_being_claimed_or_resumed():
    into = {move for move, steps in MOVES.items() if S.RUNNING in steps.values()}
    assert into == {Move.CLAIM, Move.RESUME}


class AnyLife(RuleBasedStateMachine):
    """Whatever is done to a job, it can still be brought to an end, and cancelling holds."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.asked_to_cancel = S.QUEUED, False

    @rule(move=VERBS)
    def move(self, move):
        if self.state not in MOVES[move]:
            return
        self.state = after(move, self.state)
        if move is Move.CANCEL:
            self.asked_to_cancel = True
        if move is Move.RETRY:
            self.asked_to_cancel = False

    @precondition(lambda self: self.asked_to_cancel)
    @rule()
    def a_cancelled_job_waits_for_nobody(self):
        assert self.state not in {S.QUEUED, S.RUNNING, S.PAUSING, S.PAUSED}

    @rule()
    def an_end_can_be_reached(self):
        assert self.state in TERMINAL or Move.CANCEL in allowed(self.state) or (
            self.state is S.CANCELLING
        )  # fmt: skip


TestAnyLife = AnyLife.TestCase
