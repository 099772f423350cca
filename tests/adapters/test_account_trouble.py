"""Account trouble is recognised by status, code and wording, before a call is retried."""

from __future__ import annotations

import json

import pytest

from batchdrop.adapters.claude.errors import api_error, is_account_trouble
from batchdrop.answers.account_trouble import ACCOUNT_CODES

LOW = "Your credit balance is too low to access the Anthropic API."
LIMIT = "You have reached your specified API usage limits. You will regain access on 2026-12-01."


def _is_trouble(status: int, kind: str, message: str, code: str | None = None) -> bool:
    details = {"details": {"error_code": code}} if code else {}
    body = {"type": "error", "error": {"type": kind, "message": message, **details}}
    return is_account_trouble(status, api_error(status, json.dumps(body).encode()))


@pytest.mark.parametrize("message", [LOW, LIMIT])
def test_an_invalid_request_may_be_account_trouble(message: str) -> None:
    """The API sends 400 for an exhausted balance and for the user's own limit."""
    assert _is_trouble(400, "invalid_request_error", message)
    assert not _is_trouble(400, "invalid_request_error", "max_tokens: too large")


@pytest.mark.parametrize("code", sorted(ACCOUNT_CODES))
def test_codes_of_the_account_stop_the_job(code: str) -> None:
    """Waiting does not help, although the status says 429."""
    assert _is_trouble(429, "rate_limit_error", "no", code)


def test_a_ramp_limit_passes() -> None:
    """It is a rate limit like any other."""
    assert not _is_trouble(429, "rate_limit_error", "slow down", "ramp_limit_exceeded")


def test_a_page_of_a_proxy_is_no_account_trouble() -> None:
    """After a 5xx nobody knows whether something was created, whatever words it has."""
    assert not is_account_trouble(502, api_error(502, LOW.encode()))
