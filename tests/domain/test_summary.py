"""The summary's faults: a function's own words are found inside what Step Functions hands on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.domain.shard_state import ShardState, as_state
from batchdrop.domain.summary import Fault, fault_of, tally_block
from batchdrop.domain.tally import Tally


@given(st.text(st.characters(codec="utf-8"), max_size=50))
def test_a_lambdas_message_is_taken_out_of_its_cause(text: str) -> None:
    """The cause's JSON around a function's message is not shown to the user."""
    cause = json.dumps({"errorMessage": text, "errorType": "RecipeRejected", "requestId": "r", "stackTrace": ["a"]})
    assert fault_of("RecipeRejected", cause) == Fault("RecipeRejected", text)


@pytest.mark.parametrize("cause", ["", "The task timed out", "{", "{}", "[]", '{"errorMessage": 5}', "null", '"x"'])
def test_any_other_cause_is_shown_as_it_is(cause: str) -> None:
    """What is no function's cause is kept word for word."""
    assert fault_of("States.Timeout", cause, 3) == Fault("States.Timeout", cause, 3)


@given(st.text(max_size=80), st.text(max_size=80))
def test_every_cause_has_a_fault(error: str, cause: str) -> None:
    """No cause, however broken, keeps the job from being closed."""
    assert fault_of(error, cause).type == error


def test_the_tally_block_shows_the_tally() -> None:
    """Counts go into the summary under their own names."""
    block = tally_block(Tally(rows=6, answered=3, failed=2, rejected=1, statuses={"answered": 3}))
    assert (block.rows, block.answered, block.failed, block.rejected) == (6, 3, 2, 1)
    assert block.statuses == {"answered": 3}


def test_a_shards_state_is_small_plain_json() -> None:
    """Step Functions carries it between all steps: a few hundred bytes."""
    state = ShardState("20261122T120000-0123456789", 99_999, 100_000, 100_000, 1_800_000_000)
    later = state.submitted("msgbatch_" + "x" * 24, wait_seconds=20).polled(ended=True, wait_seconds=0)
    assert len(json.dumps(as_state(later))) < 400
    assert (later.polls, later.ended, later.batch_id) == (1, True, "msgbatch_" + "x" * 24)


def test_a_new_round_counts_its_polls_anew() -> None:
    """A submission starts the wait policy from its beginning."""
    state = ShardState("j", 0, 1, 5, 0, polls=9, ended=True)
    assert (state.submitted("b", wait_seconds=20).polls, state.submitted("b", wait_seconds=20).ended) == (0, False)
