"""The token counter that the split needs, as a Protocol."""

from __future__ import annotations

from typing import Protocol


class TokenCounter(Protocol):
    """The API's own count of a prompt's tokens: free, and an estimate itself."""

    def count(self, params: bytes) -> int:
        """Return the input tokens of a request, given by its `params`. May be called from several threads.

        Raises AccountTrouble, RateLimited, ApiUnavailable, or CountRefused for a request that cannot be counted.
        """
