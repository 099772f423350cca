"""The outcome of one row: its fate, and the values and texts for its new columns."""

from __future__ import annotations

from typing import Any, Literal, assert_never

import msgspec

from batchdrop.answers.result import Canceled, Errored, Expired, Message, Result, Succeeded, Uncertain, Unreadable
from batchdrop.answers.shape import TEXT_ANSWER, AnswerInvalid, AnswerShape

Fate = Literal["answered", "unusable", "failed", "rejected"]

REMEMBERED = "remembered"  # the status of a row whose answer comes from the answer store, and costs nothing
PERHAPS_PAID = {"unreadable", "uncertain"}  # statuses of rows that may be paid, and are never sent again


class SentRequest(msgspec.Struct, frozen=True, gc=False):
    """Where the result of a row that may be paid can be found.

    `message_batch` is None in the live lane, and where the API never named one. `attempts` counts the rounds that sent
    the request; only the last one may be paid.
    """

    custom_id: str
    message_batch: str | None
    attempts: int


class Outcome(msgspec.Struct, frozen=True, gc=False):  # a frozen dataclass takes several times as long
    """The final state of one row: the values of its new columns, and the message that was paid for.

    `status` is `answered`, `remembered` (an earlier job paid for the answer), `failed`, `canceled`, `not_sent`,
    `over_budget`, `rejected`, `skipped` (`on_empty: skip`), or `unreadable` or `uncertain` (both may be paid). An
    unusable answer is paid: `invalid` (it breaks the recipe's types), `empty` (no text), or the stop_reason of an
    answer that stopped early (`max_tokens`, `refusal`, …). `values` are those of the answer columns, in order; empty if
    no answer fills them. `raw` is the text of an answer that could not. `added` are those of the columns in
    `output.add`. `seconds` is how long the answer took, if known. `request` is set for rows that may be paid.
    """

    fate: Fate
    status: str
    values: tuple[Any, ...] = ()
    raw: str = ""
    error: str = ""
    message: Message | None = None
    seconds: float | None = None
    request: SentRequest | None = None
    added: tuple[Any, ...] = ()


def rejected(reason: str) -> Outcome:
    """Return the outcome of a row that was rejected before it was sent."""
    return Outcome("rejected", "rejected", error=reason)


def skipped(reason: str) -> Outcome:
    """Return the outcome of a row that the recipe does not want to be sent."""
    return Outcome("rejected", "skipped", error=reason)


def failed(reason: str) -> Outcome:
    """Return the outcome of a row that has no answer."""
    return Outcome("failed", "failed", error=reason)


def canceled(reason: str) -> Outcome:
    """Return the outcome of a row whose job was canceled before the row was answered."""
    return Outcome("failed", "canceled", error=reason)


def not_sent(reason: str) -> Outcome:
    """Return the outcome of a row that waited for a sample's approval, and was never sent."""
    return Outcome("failed", "not_sent", error=reason)


def over_budget(reason: str) -> Outcome:
    """Return the outcome of a row that was not sent, because its job might have exceeded its `max_cost_usd`."""
    return Outcome("failed", "over_budget", error=reason)


def remembered(outcome: Outcome) -> Outcome:
    """Return the outcome of a row whose result comes from the answer store. Whatever it is, this job paid nothing."""
    if outcome.status == "answered":
        return msgspec.structs.replace(outcome, status=REMEMBERED)
    return msgspec.structs.replace(outcome, message=None)  # only answered rows are stored, so this is not expected


def unreadable() -> Outcome:
    """Return the outcome of a row whose result may be paid, but cannot be read."""
    reason = (
        "the API's result cannot be read: its record has an unknown format. The row may be billed, so it is not sent "
        "again. Resume the job to read the results again. The record's bytes are in the job's answers/ folder"
    )
    return Outcome("failed", "unreadable", error=reason)


def uncertain(reason: str) -> Outcome:
    """Return the outcome of a row that was sent and has no result: it may be paid."""
    explained = (
        f"the API gave no result for this row ({reason}). The row may be billed, so it is not sent again. Resume the "
        "job to read the results again"
    )
    return Outcome("failed", "uncertain", error=explained)


def of_result(result: Result, shape: AnswerShape = TEXT_ANSWER, *, seconds: float | None = None) -> Outcome:
    """Return the outcome of a row with this API result.

    `shape` is the shape of the recipe's answers, `seconds` how long the answer took.
    """
    match result:
        case Succeeded(message=message):
            return _of_message(message, shape, seconds)
        case Errored(error=envelope):
            return failed(f"{envelope.error.type}: {envelope.error.message}")
        case Canceled():
            return canceled("canceled before this row was answered")
        case Expired():
            return failed("expired: the Message Batch did not reach this row within 24 hours")
        case Unreadable():
            return unreadable()
        case Uncertain(reason=reason):
            return uncertain(reason)
        case never:
            assert_never(never)


def _of_message(message: Message, shape: AnswerShape, seconds: float | None) -> Outcome:
    stop = message.stop_reason or "end_turn"
    text = shape.text_of(message)
    if not shape.is_complete(stop):
        return _unusable(stop, _explain(stop), message, shape, seconds)
    if not text or text.isspace():
        return _unusable("empty", _explain("empty"), message, shape, seconds)
    try:
        return Outcome("answered", "answered", shape.read(text), "", "", message, seconds)
    except AnswerInvalid as invalid:
        reason = f"{invalid}; the answer is billed; `retry: {{invalid: 1}}` sends the row again"
        return _unusable("invalid", reason, message, shape, seconds)


def _unusable(status: str, reason: str, message: Message, shape: AnswerShape, seconds: float | None) -> Outcome:
    text = shape.text_of(message)
    values, raw = ((), text) if shape.is_typed else ((text,), "")
    return Outcome("unusable", status, values, raw, reason, message, seconds)


def _explain(status: str) -> str:
    match status:
        case "empty":
            return "the answer has no text; it is billed. See the row with `batchdrop show JOB --row N`"
        case "max_tokens":
            return "the answer was cut at max_tokens; raise max_tokens in the recipe"
        case "refusal":
            return "the model refused to answer; refusals are billed"
        case "model_context_window_exceeded":
            return "the answer was cut at the end of the model's context window; shorten the row"
        case _:
            return f"the answer stopped early: {status}"
