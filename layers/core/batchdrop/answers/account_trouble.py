"""Recognise errors that only the user can fix: the key, billing, a permission or a spend limit of the account."""

from __future__ import annotations

ACCOUNT_TYPES = {"billing_error", "authentication_error", "permission_error"}
ACCOUNT_CODES = {
    "organization_on_hold",
    "enforced_spend_limit_reached",
    "contract_spend_limit_reached",
    "linked_organization_spend_limit_reached",
    "linked_organization_billing_unavailable",
    "cmek_key_disabled",
}  # of `error.details.error_code`; any other code, such as `ramp_limit_exceeded`, leaves it to the type and the words
ACCOUNT_WORDS = ("credit balance is too low", "reached your specified api usage limits")  # sent as invalid requests


def is_account_error(kind: str, message: str, code: str | None = None) -> bool:
    """Return whether an error of this type, message and code comes from the account."""
    if code in ACCOUNT_CODES:
        return True
    return kind in ACCOUNT_TYPES or any(words in message.lower() for words in ACCOUNT_WORDS)
