"""Verdicts: each kind of result says whether the request is sent again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.account_trouble import ACCOUNT_CODES, ACCOUNT_TYPES
from batchdrop.answers.result_line import ResultHead
from batchdrop.answers.verdict import NEVER_AGAIN, Verdict
from tests.fakes import errored, succeeded


def _verdict(result: dict[str, Any]) -> Verdict:
    line = msgspec.json.encode({"custom_id": "j-00000-000000", "result": result})
    return msgspec.json.decode(line, type=ResultHead).verdict


@pytest.mark.parametrize("stop", ["end_turn", "stop_sequence", "refusal", "tool_use", "a_reason_of_tomorrow", None])
def test_a_paid_answer_is_the_last_verdict(stop: str | None) -> None:
    """Whatever made it stop, it was billed."""
    assert _verdict(succeeded("x", stop_reason=stop)) is Verdict.ANSWERED


def test_a_cut_answer_is_told_from_a_whole_one() -> None:
    """It is paid, and may be asked once more with more room."""
    assert _verdict(succeeded("x", stop_reason="max_tokens")) is Verdict.CUT
    assert Verdict.CUT < Verdict.ANSWERED


@pytest.mark.parametrize("kind", ["expired", "canceled"])
def test_a_row_without_its_turn_is_left_over(kind: str) -> None:
    """Nothing was billed."""
    assert _verdict({"type": kind}) is Verdict.LEFTOVER


@pytest.mark.parametrize("kind", ["invalid_request_error", "not_found_error", "request_too_large"])
def test_what_fails_again_is_asked_never(kind: str) -> None:
    """The same request would fail the same way."""
    assert _verdict(errored(kind)) is Verdict.NEVER


@pytest.mark.parametrize("kind", ["billing_error", "authentication_error", "permission_error"])
def test_the_accounts_trouble_is_told_apart(kind: str) -> None:
    """It waits for the user."""
    assert _verdict(errored(kind)) is Verdict.ACCOUNT


@pytest.mark.parametrize(
    "message",
    [
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing",
        "You have reached your specified API usage limits. You will regain access on 2026-12-01",
    ],
)
def test_the_accounts_trouble_is_known_by_its_words(message: str) -> None:
    """The API sends it as an invalid request, but the same request succeeds once the account is fixed."""
    assert _verdict(errored("invalid_request_error", message)) is Verdict.ACCOUNT


@pytest.mark.parametrize("code", [*sorted(ACCOUNT_CODES), "ramp_limit_exceeded"])
def test_the_accounts_trouble_is_known_by_its_code(code: str) -> None:
    """The code decides; a ramp limit passes by itself."""
    error = {"type": "rate_limit_error", "message": "no", "details": {"error_code": code}}
    verdict = _verdict({"type": "errored", "error": {"type": "error", "error": error}})
    assert verdict is (Verdict.LEFTOVER if code == "ramp_limit_exceeded" else Verdict.ACCOUNT)


@given(
    st.sampled_from(["rate_limit_error", "timeout_error", "api_error", "overloaded_error"])
    | st.text(max_size=30).filter(lambda kind: kind not in NEVER_AGAIN | ACCOUNT_TYPES)
)
def test_any_other_error_is_left_over(kind: str) -> None:
    """Known to pass, or unknown: the API bills answers only, so asking again costs nothing twice."""
    assert _verdict(errored(kind)) is Verdict.LEFTOVER


@given(st.text(max_size=30).filter(lambda kind: kind not in {"succeeded", "errored", "expired", "canceled"}))
def test_an_unknown_result_may_be_paid(kind: str) -> None:
    """Its row is not sent again."""
    assert _verdict({"type": kind}) is Verdict.PERHAPS_PAID


def test_paid_verdicts_are_above_unpaid_ones() -> None:
    """An unpaid line never replaces a paid one."""
    unpaid = {Verdict.NOTHING, Verdict.LEFTOVER, Verdict.ACCOUNT, Verdict.NEVER, Verdict.PERHAPS_PAID}
    assert max(unpaid) < min(set(Verdict) - unpaid) == Verdict.MISSED
    assert {verdict for verdict in Verdict if not verdict.is_paid} == unpaid
