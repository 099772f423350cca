"""The ledger's facts in one SQLite file: the same `job` and `fact` keys as the DynamoDB table, each with a JSON item.

Each write is one transaction that is on disk when it returns (WAL, synchronous=FULL): a killed process loses nothing
that its caller was told. Several processes use the file at once; one of them writes at a time. Nothing expires: a run's
folder is removed as a whole.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from batchdrop.errors import AwsUnavailable

BUSY_SECONDS = 30.0  # a transaction takes milliseconds; longer means that a process hangs while it writes
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_PRIMARY = 0xFF  # extended result codes hold the primary one in their lowest byte
_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (job TEXT NOT NULL, fact TEXT NOT NULL, item TEXT NOT NULL, PRIMARY KEY (job, fact))
WITHOUT ROWID
"""

Item = dict[str, Any]


class Facts:
    """The items, within one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self, job: str, fact: str) -> Item | None:
        """Return one item."""
        row = self._connection.execute("SELECT item FROM facts WHERE job = ? AND fact = ?", (job, fact)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, job: str, fact: str, item: Item) -> None:
        """Write an item, in place of an earlier one."""
        self._connection.execute("REPLACE INTO facts VALUES (?, ?, ?)", (job, fact, json.dumps(item)))

    def delete(self, job: str, fact: str) -> None:
        """Delete an item, if it exists."""
        self._connection.execute("DELETE FROM facts WHERE job = ? AND fact = ?", (job, fact))

    def beginning(self, job: str, prefix: str) -> list[tuple[str, Item]]:
        """Return a job's facts that begin with `prefix`, in order, with their items."""
        query = "SELECT fact, item FROM facts WHERE job = ? AND substr(fact, 1, ?) = ? ORDER BY fact"
        rows = self._connection.execute(query, (job, len(prefix), prefix)).fetchall()
        return [(fact, json.loads(item)) for fact, item in rows]

    def of_all_jobs(self, prefix: str) -> list[tuple[str, Item]]:
        """Return the items of all jobs whose facts begin with `prefix`, each with its job."""
        query = "SELECT job, item FROM facts WHERE substr(fact, 1, ?) = ? ORDER BY job, fact"
        return [(job, json.loads(item)) for job, item in self._connection.execute(query, (len(prefix), prefix))]


class FactFile:
    """The file. It is created if it does not exist; threads and processes may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()

    @contextmanager
    def reading(self) -> Iterator[Facts]:
        """Read the facts. Raises AwsUnavailable if the file stays locked."""
        with _translated(self._path):
            yield Facts(self._connection())

    @contextmanager
    def writing(self) -> Iterator[Facts]:
        """Read and write the facts; nothing comes between. An error undoes the writes. Raises AwsUnavailable."""
        with _translated(self._path):
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Facts(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _connection(self) -> sqlite3.Connection:
        """Return this thread's connection."""
        found: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if found is None:
            found = self._own.connection = _opened(self._path)
        return found


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)  # None: transactions are explicit
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(_SCHEMA)
    return connection


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & _PRIMARY in _BUSY:
            message = f"the ledger {path} was locked for {BUSY_SECONDS:g} s: {error}"
            raise AwsUnavailable(message) from error
        raise
