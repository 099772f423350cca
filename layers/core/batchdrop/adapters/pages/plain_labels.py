"""Plain words for the kinds of failures. A kind is a `_status`, an error type, or the common part of reasons."""

from __future__ import annotations

_LABELS = {
    "max_tokens": "Answers cut at max_tokens",
    "refusal": "Refused by the model",
    "empty": "Empty answers",
    "invalid": "Answers that do not fit the recipe's types",
    "model_context_window_exceeded": "Too long for the model",
    "skipped": "Skipped: the columns are empty",
    "canceled": "Canceled before they were answered",
    "over_budget": "Not sent: they might exceed max_cost_usd",
    "not_sent": "Not sent: the sample was not approved",
    "unreadable": "Paid, but the answer cannot be read",
    "uncertain": "Perhaps paid: the API did not say",
    "other": "Other reasons",
    "expired": "Not answered within 24 hours",
    "api_error": "The API failed",
    "overloaded_error": "The API was overloaded",
    "timeout_error": "The API took too long",
    "rate_limit_error": "The API's rate limit was reached",
    "invalid_request_error": "The API refused the request",
    "request_too_large": "The request is too large for the API",
    "not_found_error": "The API does not know the model",
    "authentication_error": "The API refused the key",
    "permission_error": "The key may not do this",
    "billing_error": "The account has no credit",
    "AccountTrouble": "The account has trouble",
    "BudgetReached": "Not sent: they might exceed max_cost_usd",
    "DeadlinePassed": "Not answered in time",
    "PilotRefused": "The API refused the first request",
    "SampleFailed": "The sample failed",
    "SubmissionRefused": "The API refused the Message Batch",
    "SubmissionUnsettled": "Perhaps paid: a Message Batch could not be found",
    "MessageBatchLost": "The Message Batch is gone at the API",
    "ResultsIncomplete": "The API's results are incomplete",
}


def plain_label(kind: str) -> str:
    """Return a kind of failure in plain words. A reason is its own label."""
    return _LABELS.get(kind) or kind[:1].upper() + kind[1:]


def is_code(kind: str) -> bool:
    """Return whether a kind is a name that programs use, and worth showing beside its label."""
    return kind in _LABELS and kind != "other"
