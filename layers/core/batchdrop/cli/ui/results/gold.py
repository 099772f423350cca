"""Write down by hand what an answer should have been: `gold.jsonl` beside the job's results.

Each line is a row of the file with the right answers in columns of their own, so the file can be tried and compared as
it is: `gold: {label: expected_label}`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock
from typing import Any

from batchdrop.answers.columns import ROW
from batchdrop.answers.gold import GoldField, GoldKind, TruthUnreadable
from batchdrop.cli.console import CommandError
from batchdrop.cli.ui.results.columns import ResultColumn
from batchdrop.cli.ui.results.table import ResultTable, TableRow
from batchdrop.ports import ObjectChanged, ObjectMissing, ObjectStore

NAME = "gold.jsonl"
EXPECTED = "expected_"  # before an answer's column, if the recipe's `gold` does not name one
MOST_ROWS = 10_000
TRIES = 3  # of a write, when another console writes, too

_one_at_a_time = Lock()

Truths = dict[int, dict[str, Any]]


class TruthRefusedError(CommandError):
    """The truth does not fit, or cannot be written; the message says why."""


class GoldFile:
    """The rows of a job's results whose right answers a person wrote down."""

    def __init__(self, store: ObjectStore, results: str, columns: Mapping[str, str]) -> None:
        """Open the file. `results` is the prefix of the job's outputs, `columns` the recipe's `gold`."""
        self._store = store
        self._columns = columns
        self.key = results + NAME

    def column_of(self, answer: ResultColumn) -> str:
        """Return the name of the column that holds the truth of an answer's column."""
        return self._columns.get(answer.field) or f"{EXPECTED}{answer.name}"

    def rows(self) -> Truths:
        """Return the lines, by the row's number."""
        return _read(self._body())

    def write(self, table: ResultTable, row: TableRow, answer: ResultColumn, text: str) -> Any:
        """Write a row's truth, and return it; an empty text takes it back.

        Raises TruthRefusedError if the answer cannot have it.
        """
        truth = _truth(answer, text)
        own = {one.name: row.cells[one.place] for one in table.columns if not one.is_new}
        expected = {self.column_of(one): one for one in table.columns if one.field}

        def changed(known: Truths) -> Truths:
            line = {ROW: row.row, **own, **known.get(row.row, {})}
            line[self.column_of(answer)] = truth
            if any(line.get(name) not in {None, ""} for name in expected):
                return {**known, row.row: line}
            return {number: kept for number, kept in known.items() if number != row.row}

        self._change(changed)
        return truth

    def _change(self, changed: Callable[[Truths], Truths]) -> None:
        for _ in range(TRIES):
            with _one_at_a_time:
                before = self._body()
                rows = changed(_read(before))
                if len(rows) > MOST_ROWS:
                    raise TruthRefusedError(f"{NAME} has {MOST_ROWS:,} rows, which is the most; take some back first")
                try:
                    self._store.write(self.key, _written(rows), guard=partial(self._refuse_other, before))
                except ObjectChanged:
                    continue
                return
        raise TruthRefusedError(f"another console writes {self.key} all the time; try again")

    def _refuse_other(self, seen: bytes) -> None:
        if self._body() != seen:
            raise ObjectChanged(self.key)

    def _body(self) -> bytes:
        try:
            return self._store.read(self.key)
        except ObjectMissing:
            return b""


def _truth(answer: ResultColumn, text: str) -> Any:
    kind: GoldKind = "number" if answer.kind == "number" else "label" if answer.kind == "label" else "text"
    is_boolean = answer.labels == ["true", "false"]
    field = GoldField(answer.field, answer.name, answer.name, 0, kind, tuple(answer.labels), is_boolean=is_boolean)
    try:
        truth = field.truth(text)
    except TruthUnreadable as error:
        raise TruthRefusedError(str(error)) from error
    if isinstance(truth, float) and truth.is_integer():
        return int(truth)
    return truth == "true" if is_boolean and truth is not None else truth


def _read(body: bytes) -> Truths:
    found = (json.loads(line) for line in body.splitlines() if line.strip())
    return {int(one[ROW]): one for one in found if isinstance(one, dict) and ROW in one}


def _written(rows: Truths) -> bytes:
    return "".join(f"{json.dumps(rows[number], ensure_ascii=False)}\n" for number in sorted(rows)).encode()
