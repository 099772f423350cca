"""What became of one row: answered, failed or rejected, with its words for the output."""

from __future__ import annotations

from typing import Any, Literal, assert_never

import msgspec

from batchdrop.answers.result import Canceled, Errored, Expired, Message, Result, Succeeded
from batchdrop.answers.shape import TEXT_ANSWER, AnswerInvalid, AnswerShape

Fate = Literal["answered", "failed", "rejected"]

COMPLETE_STOPS = {"end_turn", "stop_sequence"}  # any other stop_reason is a paid answer that the user must look at


class Outcome(msgspec.Struct, frozen=True, gc=False):  # a frozen dataclass takes several times as long
    """One row's last word: what the new columns say, and the message that was paid for.

    `status` is `answered`, `failed`, `canceled`, `over_budget`, `rejected`, `invalid` (a paid answer that breaks the
    recipe's types), or, for a paid answer that did not end by itself, its stop_reason (`max_tokens`, `refusal`, …).
    `values` are those of the answer columns, in order; empty where no answer fills them. `raw` is the text of one that
    could not. `seconds` is how long the answer took, where that is known.
    """

    fate: Fate
    status: str
    values: tuple[Any, ...] = ()
    raw: str = ""
    error: str = ""
    message: Message | None = None
    seconds: float | None = None


def rejected(reason: str) -> Outcome:
    """Return the outcome of a row that was refused before it was sent."""
    return Outcome("rejected", "rejected", error=reason)


def failed(reason: str) -> Outcome:
    """Return the outcome of a row that was asked and has no answer."""
    return Outcome("failed", "failed", error=reason)


def canceled(reason: str) -> Outcome:
    """Return the outcome of a row whose asking was called off."""
    return Outcome("failed", "canceled", error=reason)


def over_budget(reason: str) -> Outcome:
    """Return the outcome of a row that was not asked, for its job might have passed its `max_cost_usd`."""
    return Outcome("failed", "over_budget", error=reason)


def of_result(result: Result, shape: AnswerShape = TEXT_ANSWER, *, seconds: float | None = None) -> Outcome:
    """Return the outcome that an API result gives its row.

    `shape` is what the recipe wants answers to be; `seconds` how long the answer took.
    """
    match result:
        case Succeeded(message=message):
            return _of_message(message, shape, seconds)
        case Errored(error=envelope):
            return failed(f"{envelope.error.type}: {envelope.error.message}")
        case Canceled():
            return canceled("it was canceled before this row's turn")
        case Expired():
            return failed("expired: the Message Batch did not reach this row within 24 hours")
        case never:
            assert_never(never)


def _of_message(message: Message, shape: AnswerShape, seconds: float | None) -> Outcome:
    stop = message.stop_reason or "end_turn"
    text = message.text
    if stop not in COMPLETE_STOPS:
        values, raw = ((), text) if shape.is_typed else ((text,), "")
        return Outcome("answered", stop, values, raw, _explain(stop), message, seconds)
    try:
        return Outcome("answered", "answered", shape.read(text), "", "", message, seconds)
    except AnswerInvalid as invalid:
        reason = f"{invalid}; the answer is paid; `retry: {{invalid: 1}}` asks again"
        return Outcome("answered", "invalid", (), text, reason, message, seconds)


def _explain(stop_reason: str) -> str:
    match stop_reason:
        case "max_tokens":
            return "the answer was cut at max_tokens; raise max_tokens in the recipe"
        case "refusal":
            return "the model refused to answer; refusals are billed"
        case "model_context_window_exceeded":
            return "the answer was cut at the end of the model's context window; shorten the row"
        case _:
            return f"the answer stopped early: {stop_reason}"
