"""The summary's faults: a function's own words are found inside what Step Functions hands on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.report.summary import Fault, fault_of, tally_block
from batchdrop.report.tally import Tally


@given(st.text(st.characters(codec="utf-8"), max_size=50))
def test_a_lambdas_message_is_taken_out_of_its_cause(text: str) -> None:
    """The cause's JSON around a function's message is not shown to the user."""
    cause = json.dumps({"errorMessage": text, "errorType": "RecipeRejected", "requestId": "r", "stackTrace": ["a"]})
    assert fault_of("RecipeRejected", cause) == Fault("RecipeRejected", text)


@pytest.mark.parametrize("cause", ["", "The task timed out", "{", "{}", "[]", '{"errorMessage": 5}', "null", '"x"'])
def test_any_other_cause_is_shown_as_it_is(cause: str) -> None:
    """A cause that is not a function's is kept word for word."""
    assert fault_of("States.Timeout", cause, 3) == Fault("States.Timeout", cause, 3)


@given(st.text(max_size=80), st.text(max_size=80))
def test_every_cause_has_a_fault(error: str, cause: str) -> None:
    """No cause, however broken, keeps the job from being closed."""
    assert fault_of(error, cause).type == error


def test_the_tally_block_shows_the_tally() -> None:
    """Counts go into the summary under their own names."""
    block = tally_block(Tally(rows=7, answered=3, unusable=1, failed=2, rejected=1, shared=2, statuses={"answered": 3}))
    assert (block.rows, block.answered, block.unusable, block.failed, block.rejected) == (7, 3, 1, 2, 1)
    assert block.shared == 2
    assert block.statuses == {"answered": 3}
