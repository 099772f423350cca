"""The answer store in one SQLite file, for use without a stack. Its views are numbers of published runs.

Answers stay until `compact` drops them, also those that a newer one replaces: an open view may need them.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from batchdrop.adapters.sqlite.fact_file import BUSY_SECONDS
from batchdrop.answer_store.answer import Answer, damaged, read_answer
from batchdrop.answer_store.entry import Entry
from batchdrop.answer_store.forgotten import Forgotten, Tombstone
from batchdrop.answer_store.key import SECRET_BYTES
from batchdrop.answer_store.ports import LookUp, Place, View

_SCHEMA = """
CREATE TABLE IF NOT EXISTS recipes (recipe TEXT PRIMARY KEY, secret BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    run INTEGER PRIMARY KEY, recipe TEXT NOT NULL, name TEXT NOT NULL, published INTEGER, UNIQUE (recipe, name)
);
CREATE TABLE IF NOT EXISTS answers (
    answer INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, recipe TEXT NOT NULL, key BLOB NOT NULL,
    packed INTEGER NOT NULL, at INTEGER NOT NULL, line BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS tombstones (recipe TEXT NOT NULL, tombstone BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS answers_by_key ON answers (recipe, key);
CREATE INDEX IF NOT EXISTS answers_by_run ON answers (run);
"""
_FIND = """
SELECT answer, packed, at, length(line) FROM answers JOIN runs USING (run)
WHERE answers.recipe = ? AND key = ? AND packed <= ? AND at >= ? AND published <= ?
ORDER BY packed, at DESC, published DESC, answer DESC LIMIT 1
"""
_LAST = "SELECT coalesce(max(published), 0) FROM runs WHERE recipe = ?"


class SqliteAnswerStore:
    """An AnswerStore in a file. It is created if it does not exist; processes may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def secret(self, recipe: str) -> bytes:
        """Return the recipe's secret; make it if there is none."""
        with self._writing() as file:
            file.execute("INSERT OR IGNORE INTO recipes VALUES (?, ?)", (recipe, secrets.token_bytes(SECRET_BYTES)))
            [secret] = file.execute("SELECT secret FROM recipes WHERE recipe = ?", (recipe,)).fetchone()
            return bytes(secret)

    def view(self, recipe: str, *, since: int = 0) -> View:  # noqa: ARG002 - the look-up compares each answer's time
        """Return the number of the last published run."""
        with self._opened() as file:
            [last] = file.execute(_LAST, (recipe,)).fetchone()
        return View((str(last),) if last else ())

    @contextmanager
    def opened(self, recipe: str, view: View, *, since: int, rows: int) -> Iterator[LookUp]:  # noqa: ARG002 - one way
        """Open the file."""
        with self._opened() as file:
            yield _SqliteLookUp(file, str(self._path), recipe, last=int((*view.runs, "0")[0]), since=since)

    def write_run(self, recipe: str, name: str, answers: Iterable[Answer]) -> None:
        """Write the answers in one transaction."""
        encode = msgspec.json.encode
        with self._writing() as file:
            file.execute("INSERT OR IGNORE INTO runs (recipe, name) VALUES (?, ?)", (recipe, name))
            find = "SELECT run, published FROM runs WHERE recipe = ? AND name = ?"
            run, published = file.execute(find, (recipe, name)).fetchone()
            if published is not None:
                return
            file.execute("DELETE FROM answers WHERE run = ?", (run,))
            file.executemany(
                "INSERT INTO answers (run, recipe, key, packed, at, line) VALUES (?, ?, ?, ?, ?, ?)",
                ((run, recipe, one.digest, one.packed, one.at, encode(one)) for one in answers),
            )

    def publish(self, recipe: str, names: Sequence[str]) -> None:
        """Number the runs."""
        with self._writing() as file:
            for name in names:
                find = "SELECT run FROM runs WHERE recipe = ? AND name = ?"
                if file.execute(find, (recipe, name)).fetchone() is None:
                    raise damaged(str(self._path), f"the run {name} of '{recipe}' is gone")
                [last] = file.execute(_LAST, (recipe,)).fetchone()
                number = "UPDATE runs SET published = ? WHERE recipe = ? AND name = ? AND published IS NULL"
                file.execute(number, (last + 1, recipe, name))
            _remove(file, recipe, _forgotten(file, recipe))

    def forget(self, recipe: str, tombstone: Tombstone) -> None:
        """Delete the answers at once, and keep the tombstone for runs that are published later."""
        with self._writing() as file:
            file.execute("INSERT INTO tombstones VALUES (?, ?)", (recipe, msgspec.json.encode(tombstone)))
            _remove(file, recipe, Forgotten((tombstone,)))

    def forgotten(self, recipe: str) -> Forgotten:
        """Return the tombstones."""
        with self._opened() as file:
            return _forgotten(file, recipe)

    def forget_recipe(self, recipe: str) -> int:
        """Delete all answers of a recipe, and its secret; return their number."""
        with self._writing() as file:
            removed = file.execute("DELETE FROM answers WHERE recipe = ?", (recipe,)).rowcount
            for table in ("runs", "tombstones", "recipes"):
                file.execute(f"DELETE FROM {table} WHERE recipe = ?", (recipe,))  # noqa: S608 - one of these names
            return removed

    def unnamed(self, recipe: str) -> int:
        """Return how many answers name no subject."""
        with self._opened() as file:
            lines = file.execute("SELECT line FROM answers WHERE recipe = ?", (recipe,))
            return sum(not msgspec.json.decode(line, type=Answer).subject for (line,) in lines)

    def recipes(self) -> list[str]:
        """Return the names of the recipes that have answers here."""
        with self._opened() as file:
            return [recipe for (recipe,) in file.execute("SELECT recipe FROM recipes ORDER BY recipe")]

    def matching(self, recipe: str, wanted: Forgotten) -> int:
        """Return how many answers these tombstones forget."""
        with self._opened() as file:
            return len(_matching(file, recipe, wanted))

    def wipe(self) -> None:
        """Write the file again, so that no deleted answer stays in its free pages, or in its log."""
        with self._opened() as file:
            file.execute("VACUUM")
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def compact(self, recipe: str, *, since: int) -> None:
        """Drop answers that have expired."""
        with self._writing() as file:
            file.execute("DELETE FROM answers WHERE recipe = ? AND at < ?", (recipe, since))

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))  # it holds answers: its user's alone
        with closing(sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)) as file:
            file.execute("PRAGMA journal_mode = WAL")
            file.executescript(_SCHEMA)
            yield file

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._opened() as file:
            file.execute("BEGIN IMMEDIATE")
            try:
                yield file
            except BaseException:
                file.execute("ROLLBACK")
                raise
            file.execute("COMMIT")


def _forgotten(file: sqlite3.Connection, recipe: str) -> Forgotten:
    found = file.execute("SELECT tombstone FROM tombstones WHERE recipe = ?", (recipe,))
    return Forgotten(msgspec.json.decode(tombstone, type=Tombstone) for (tombstone,) in found)


def _remove(file: sqlite3.Connection, recipe: str, wanted: Forgotten) -> None:
    file.executemany("DELETE FROM answers WHERE answer = ?", [(one,) for one in _matching(file, recipe, wanted)])


def _matching(file: sqlite3.Connection, recipe: str, wanted: Forgotten) -> list[int]:
    """Return the numbers of the answers that are forgotten, whether they are published or not."""
    if not wanted:
        return []
    answers = file.execute("SELECT answer, line FROM answers WHERE recipe = ?", (recipe,))
    return [number for number, line in answers if wanted.has_answer(msgspec.json.decode(line, type=Answer))]


class _SqliteLookUp:
    """A LookUp. An entry's `offset` is the answer's number in the table."""

    def __init__(self, file: sqlite3.Connection, name: str, recipe: str, *, last: int, since: int) -> None:
        self._file = file
        self._name = name
        self._recipe = recipe
        self._last = last
        self._since = since

    def find(self, keys: Iterable[bytes | None], *, packed: bool) -> list[Place | None]:
        """Return where the answers are."""
        return [None if key is None else self._find(key, packed=packed) for key in keys]

    def _find(self, key: bytes, *, packed: bool) -> Place | None:
        found = self._file.execute(_FIND, (self._recipe, key, packed, self._since, self._last)).fetchone()
        if found is None:
            return None
        answer, is_packed, at, length = found
        return Place(0, Entry(key, bool(is_packed), at, answer, length))

    def answers(self, places: Sequence[Place]) -> Iterator[tuple[int, Answer]]:
        """Yield the answers in the order of the table."""
        for number in sorted(range(len(places)), key=lambda number: places[number].entry.offset):
            entry = places[number].entry
            found = self._file.execute("SELECT line FROM answers WHERE answer = ?", (entry.offset,)).fetchone()
            if found is None:
                raise damaged(self._name, "an answer of the view is gone")
            yield number, read_answer(bytes(found[0]), entry.key, name=self._name)
