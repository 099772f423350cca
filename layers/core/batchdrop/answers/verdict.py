"""What a result line means for its row: is it the last word, or is the row asked again?"""

from __future__ import annotations

from enum import IntEnum

import msgspec

ASK_NEVER = {"invalid_request_error", "not_found_error", "request_too_large"}  # the same request fails the same way
ACCOUNT = {"billing_error", "authentication_error", "permission_error"}  # asking again waits for the user


class Word(IntEnum):
    """A row's standing after the results so far. Higher words replace lower ones."""

    NOTHING = 0  # no result yet
    LEFTOVER = 1  # unpaid, and may go better next time: expired, canceled, a passing or an unknown error
    ACCOUNT = 2  # unpaid, and the account must be mended first
    NEVER = 3  # unpaid, and would fail again
    CUT = 4  # paid, cut at max_tokens
    INVALID = 5  # paid, and breaks what the recipe's `answer` says
    ANSWERED = 6  # paid


class _Tier(msgspec.Struct, frozen=True, gc=False):
    service_tier: str | None = None


class _Stop(msgspec.Struct, frozen=True, gc=False):
    stop_reason: str | None = None
    usage: _Tier = _Tier()


class _Type(msgspec.Struct, frozen=True, gc=False):
    type: str


class _Error(msgspec.Struct, frozen=True, gc=False):
    error: _Type


class _Result(msgspec.Struct, frozen=True, gc=False):
    type: str
    message: _Stop | None = None
    error: _Error | None = None


class ResultHead(msgspec.Struct, frozen=True, gc=False):
    """A result line, read just so far as to know whose it is and what it means."""

    custom_id: str
    result: _Result

    @property
    def is_live(self) -> bool:
        """Tell whether it is an answer of the live lane, where each one was paid for."""
        return self.result.message is not None and self.result.message.usage.service_tier not in {None, "batch"}

    @property
    def word(self) -> Word:
        """Return what the line says of its row.

        A result type that nobody knows may be a paid one, so it is not asked again; an unknown error type is unpaid
        (the API bills `succeeded` only), so it is.
        """
        result = self.result
        match result.type:
            case "succeeded":
                is_cut = result.message is not None and result.message.stop_reason == "max_tokens"
                return Word.CUT if is_cut else Word.ANSWERED
            case "errored":
                kind = result.error.error.type if result.error else ""
                return Word.NEVER if kind in ASK_NEVER else Word.ACCOUNT if kind in ACCOUNT else Word.LEFTOVER
            case "expired" | "canceled":
                return Word.LEFTOVER
            case _:
                return Word.NEVER
