"""Decide what a result means for its row: is the row done, or is its request sent again?"""

from __future__ import annotations

from enum import IntEnum

from batchdrop.answers.account_trouble import is_account_error

NEVER_AGAIN = {"invalid_request_error", "not_found_error", "request_too_large"}  # the same request fails the same way


class Verdict(IntEnum):
    """A row's state after the results so far. A higher verdict replaces a lower one."""

    NOTHING = 0  # no result yet
    LEFTOVER = 1  # unpaid, and may succeed next time: expired, canceled, a transient or an unknown error
    ACCOUNT = 2  # unpaid, and fails until the user fixes the account
    NEVER = 3  # unpaid, and would fail again
    PERHAPS_PAID = 4  # never sent again, because it may be paid: a record that cannot be read, or of an unknown type
    MISSED = 5  # paid as a part of a pack whose answer has nothing for this row; the lowest verdict that is paid
    CUT = 6  # paid, cut at max_tokens
    INVALID = 7  # paid, and breaks the recipe's `answer`
    ANSWERED = 8  # paid

    @property
    def is_paid(self) -> bool:
        """Return whether an answer was billed."""
        return self >= Verdict.MISSED


def verdict_of(
    result_type: str, *, stop_reason: str | None, error_type: str, message: str = "", code: str | None = None
) -> Verdict:
    """Return the verdict of one result. `message` and `code` are the error's own.

    A result of an unknown type may be paid, so its request is not sent again. An error of an unknown type is unpaid
    (the API bills only `succeeded`), so its request is sent again.
    """
    match result_type:
        case "succeeded":
            return Verdict.CUT if stop_reason == "max_tokens" else Verdict.ANSWERED
        case "errored" if is_account_error(error_type, message, code):
            return Verdict.ACCOUNT
        case "errored" if error_type in NEVER_AGAIN:
            return Verdict.NEVER
        case "errored" | "expired" | "canceled":
            return Verdict.LEFTOVER
        case _:
            return Verdict.PERHAPS_PAID
