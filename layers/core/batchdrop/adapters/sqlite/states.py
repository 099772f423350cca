"""Shared states in a SQLite file; the items are those of dynamodb_states.py."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from batchdrop.adapters.sqlite.fact_file import FactFile
from batchdrop.admission.ports import Changed, Result


class SqliteSharedStates:
    """SharedStates in a SQLite file. A change holds the file, so no writer comes between."""

    def __init__(self, file: FactFile) -> None:
        self._file = file

    def read(self, owner: str, fact: str) -> bytes | None:
        """Return the present text."""
        with self._file.reading() as facts:
            item = facts.get(owner, fact)
        return None if item is None else str(item["text"]).encode()

    def change(
        self,
        owner: str,
        fact: str,
        change: Callable[[bytes | None], Changed[Result]],
        *,
        at: datetime,  # noqa: ARG002 - when the item expires elsewhere; here it stays
    ) -> Result:
        """Write what `change` makes of the text."""
        with self._file.writing() as facts:
            item = facts.get(owner, fact)
            made, result = change(None if item is None else str(item["text"]).encode())
            if made is not None:
                facts.put(owner, fact, {"text": made.decode()})
            return result
