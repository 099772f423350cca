"""Keep the answers of tries on this machine: the same request is paid once, however often a recipe is tried."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS answers (request BLOB PRIMARY KEY, line BLOB NOT NULL, at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shown (place TEXT, row INTEGER, outcome TEXT NOT NULL, PRIMARY KEY (place, row));
"""


class TriedAnswers(AbstractContextManager["TriedAnswers"]):
    """Paid result lines by their requests, and what the last try of a recipe with a file showed of each row.

    They are in an SQLite file that only its owner can read. `service` keeps the emulator's answers apart.
    """

    def __init__(self, path: Path, service: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._file = sqlite3.connect(path, isolation_level=None, timeout=30)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.executescript(_TABLES)
        self._service = service

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._file.close()

    def found(self, requests: Mapping[int, bytes], betas: Iterable[str]) -> dict[int, bytes]:
        """Return the lines of those requests that are paid already."""
        lines: dict[int, bytes] = {}
        for number, params in requests.items():
            row = self._file.execute(
                "SELECT line FROM answers WHERE request = ?", (self._key(params, betas),)
            ).fetchone()
            if row is not None:
                lines[number] = row[0]
        return lines

    def keep(self, params: bytes, betas: Iterable[str], line: bytes) -> None:
        """Keep the line of a paid request."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", (self._key(params, betas), line, now))

    def last_shown(self, place: str) -> dict[int, dict[str, str]]:
        """Return what the last try at `place`, a recipe with a file, showed: each row's cells by their columns."""
        rows = self._file.execute("SELECT row, outcome FROM shown WHERE place = ?", (place,))
        return {row: json.loads(outcome) for row, outcome in rows}

    def note_shown(self, place: str, shown: Mapping[int, Mapping[str, str]]) -> None:
        """Note what a try shows."""
        rows = [(place, row, json.dumps(outcome)) for row, outcome in shown.items()]
        self._file.executemany("INSERT OR REPLACE INTO shown VALUES (?, ?, ?)", rows)

    def _key(self, params: bytes, betas: Iterable[str]) -> bytes:
        digest = hashlib.blake2b(params, digest_size=16, person=b"batchdrop-try")
        digest.update("\0".join((self._service, *betas)).encode())
        return digest.digest()
