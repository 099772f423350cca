"""Outcomes: each result type, stop reason and error type has a defined fate."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.outcome import Outcome, failed, of_result, rejected
from batchdrop.answers.result_line import ResultLine
from batchdrop.answers.shape import AnswerShape, answer_shape
from batchdrop.recipe.recipe import parse_recipe
from tests.fakes import errored, succeeded

STOPS = [
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
]
ERROR_TYPES = [
    "invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error",
    "rate_limit_error", "timeout_error", "api_error", "overloaded_error",
]  # fmt: skip


def _outcome(result: dict[str, Any]) -> Outcome:
    line = msgspec.json.encode({"custom_id": "j-0-0", "result": result})
    return of_result(msgspec.json.decode(line, type=ResultLine).result)


@pytest.mark.parametrize("stop", ["end_turn", "stop_sequence", None])
def test_a_whole_answer_is_answered(stop: str | None) -> None:
    """An answer that ended by itself has its text and no error."""
    outcome = _outcome(succeeded("yes", stop_reason=stop))
    assert (outcome.fate, outcome.status, outcome.values, outcome.error) == ("answered", "answered", ("yes",), "")


@pytest.mark.parametrize("stop", [*STOPS[1:2], *STOPS[3:], "a_reason_of_tomorrow"])
def test_an_answer_that_stopped_early_is_kept_and_flagged(stop: str) -> None:
    """It is paid for, so its text stays; its status says why it stopped."""
    outcome = _outcome(succeeded("ye", stop_reason=stop))
    assert (outcome.fate, outcome.status, outcome.values) == ("unusable", stop, ("ye",))
    assert outcome.error


@given(st.sampled_from(STOPS) | st.text(min_size=1, max_size=30))
def test_every_answer_counts_its_message(stop: str) -> None:
    """Whatever the stop reason, known or not, the usage is billed and so it is counted."""
    outcome = _outcome(succeeded("x", stop_reason=stop))
    assert outcome.fate == ("answered" if stop in {"end_turn", "stop_sequence"} else "unusable")
    assert outcome.message is not None


@given(st.sampled_from(ERROR_TYPES) | st.text(max_size=30), st.text(max_size=30))
def test_every_error_type_fails_its_row_by_name(kind: str, text: str) -> None:
    """Known and unknown error types alike: failed, not billed, with the API's own words."""
    assert _outcome(errored(kind, text)) == failed(f"{kind}: {text}")


@pytest.mark.parametrize("kind", ["canceled", "expired"])
def test_rows_whose_turn_never_came_have_failed(kind: str) -> None:
    """Canceled and expired rows failed, and say so; a canceled one by its status, too."""
    outcome = _outcome({"type": kind})
    assert (outcome.fate, outcome.message) == ("failed", None)
    assert outcome.status == {"canceled": "canceled", "expired": "failed"}[kind]
    assert {"canceled": "canceled before", "expired": "expired: "}[kind] in outcome.error


def test_text_blocks_are_joined_and_others_left_out() -> None:
    """Thinking and tool blocks are no part of the answer."""
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "t", "name": "n", "input": {}},
        {"type": "text", "text": "b"},
    ]
    assert _outcome(succeeded("", content=content)).values == ("ab",)


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
NO_TEXT: list[list[dict[str, Any]]] = [
    [], [{"type": "text", "text": ""}], [{"type": "text", "text": " \n"}], [THOUGHT],
    [THOUGHT, {"type": "redacted_thinking"}],
]  # fmt: skip


@pytest.mark.parametrize("content", NO_TEXT)
@pytest.mark.parametrize("stop", ["end_turn", "stop_sequence", None])
def test_an_answer_without_text_is_empty(content: list[dict[str, Any]], stop: str | None) -> None:
    """No text, or thinking only: it is paid and unusable, for text answers and for typed ones."""
    for outcome in (_outcome(succeeded("", content=content, stop_reason=stop)), _typed(succeeded("", content=content))):
        assert (outcome.fate, outcome.status, "has no text" in outcome.error) == ("unusable", "empty", True)
        assert outcome.message is not None


def test_an_answer_that_thought_up_to_max_tokens_is_cut() -> None:
    """More tokens may help, so its status is `max_tokens`, and not `empty`."""
    assert _outcome(succeeded("", content=[THOUGHT], stop_reason="max_tokens")).status == "max_tokens"


@given(st.text(max_size=30))
def test_rejected_rows_carry_their_reason(reason: str) -> None:
    """A row that was never sent has its reason in the error column, and no answer."""
    outcome = rejected(reason)
    assert (outcome.fate, outcome.status, outcome.values, outcome.error) == ("rejected", "rejected", (), reason)


def _typed(result: dict[str, Any]) -> Outcome:
    fields = {"model": "m", "prompt": "{{ x }}", "answer": {"label": {"enum": ["a", "b"]}, "score": "number?"}}
    shape: AnswerShape = answer_shape(parse_recipe(fields, name="r"), name="r")
    line = msgspec.json.encode({"custom_id": "j-0-0", "result": result})
    return of_result(msgspec.json.decode(line, type=ResultLine).result, shape)


@pytest.mark.parametrize("stop", ["end_turn", "stop_sequence", None])
def test_a_typed_answer_fills_its_columns(stop: str | None) -> None:
    """A whole, valid answer: its values in the columns' order, and no text beside them."""
    outcome = _typed(succeeded('{"score":null,"label":"b"}', stop_reason=stop))
    assert (outcome.fate, outcome.status, outcome.values) == ("answered", "answered", ("b", None))
    assert (outcome.raw, outcome.error) == ("", "")


def test_a_typed_answer_that_breaks_its_types_is_invalid() -> None:
    """It is paid for, so its text stays; the reason names the field and says how to ask again."""
    text = '{"label":"c","score":1}'
    outcome = _typed(succeeded(text))
    assert (outcome.fate, outcome.status, outcome.values, outcome.raw) == ("unusable", "invalid", (), text)
    assert outcome.error == (
        "'label' must be one of: a, b; the answer is billed; `retry: {invalid: 1}` sends the row again"
    )
    assert outcome.message is not None


@pytest.mark.parametrize("stop", [*STOPS[1:2], *STOPS[3:], "a_reason_of_tomorrow"])
@pytest.mark.parametrize("text", ['{"label":"a', '{"label":"a","score":1}', "I cannot"])
def test_a_typed_answer_that_stopped_early_fills_nothing(stop: str, text: str) -> None:
    """Cut or refused: the stop reason is the status, and the text stands beside the empty columns."""
    outcome = _typed(succeeded(text, stop_reason=stop))
    assert (outcome.fate, outcome.status, outcome.values, outcome.raw) == ("unusable", stop, (), text)
    assert outcome.error


def test_typed_rows_fail_as_others_do() -> None:
    """What never answered has no values and no text."""
    assert _typed(errored("overloaded_error", "x")) == failed("overloaded_error: x")
