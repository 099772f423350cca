"""The ports of admission: shared states."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

Result = TypeVar("Result")

Changed = tuple[bytes | None, Result]  # the text to write (None: no change) and the result


class SharedStates(Protocol):
    """Small JSON texts in the ledger that many functions update with read-modify-write."""

    def read(self, owner: str, fact: str) -> bytes | None:
        """Return the current text; None if there is none."""

    def change(
        self, owner: str, fact: str, change: Callable[[bytes | None], Changed[Result]], *, at: datetime
    ) -> Result:
        """Write `change` of the current text, and return its result.

        `change` is called again after a concurrent write or a lost response, so it must be idempotent.
        Raises LedgerContended if every attempt meets a concurrent write.
        """
