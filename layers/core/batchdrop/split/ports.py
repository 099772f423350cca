"""The ports of the split: the token counter."""

from __future__ import annotations

from typing import Protocol


class TokenCounter(Protocol):
    """The API's count of a prompt's tokens. It is free, and an estimate."""

    def count(self, params: bytes) -> int:
        """Return the input tokens of the request with these `params`. Must be thread-safe.

        Raises AccountTrouble, RateLimited, ApiUnavailable, or CountRefused for a request that cannot be counted.
        """
