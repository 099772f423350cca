"""The shared states that admission needs, as a Protocol."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

Result = TypeVar("Result")

Changed = tuple[bytes | None, Result]  # the text to write, None for none; and what the change came to


class SharedStates(Protocol):
    """Small JSON texts of the ledger that many functions change, each by what stands there."""

    def read(self, owner: str, fact: str) -> bytes | None:
        """Return the text as it stands; None if there is none."""

    def change(
        self, owner: str, fact: str, change: Callable[[bytes | None], Changed[Result]], *, at: datetime
    ) -> Result:
        """Write what `change` makes of the text that stands there, and return what it came to.

        It is called again when others have written meanwhile, or the answer to a write was lost, so doing it twice must
        be as doing it once. Raises LedgerContended when others come between each time.
        """
