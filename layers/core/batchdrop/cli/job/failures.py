"""Count why rows have no answer, by kind, from a job's `failed.jsonl`, with a few sample rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from batchdrop.answers.columns import ERROR, ROW, STATUS
from batchdrop.job.stored_lines import whole_lines

MOST_ROWS = 100_000  # rows that are read: at most a minute on a slow line; the output says if there are more
MOST_BYTES = 100_000_000
MOST_KINDS = 20  # distinct kinds; later ones count as OTHER
MOST_SAMPLES = 3  # sample rows per kind
OTHER = "other reasons"
LONGEST_KIND, LONGEST_CELL = 100, 200  # characters

_ERROR_TYPE = re.compile(r"[A-Za-z]\w*(?=: |$)")
_PLACE = re.compile(r"(sheet '.*' )?row (\d+)( \(line \d+\))?: ")
_PARTICULAR = re.compile(r"\d[\d.,]*|'[^']*'|\"[^\"]*\"")


class FailedRow(msgspec.Struct, frozen=True):
    """A shortened row: its cells and the reason. `row` counts from 1; None in the file of an older release."""

    row: int | None
    reason: str
    cells: dict[str, str]


class FailureKind(msgspec.Struct):
    """Rows with the same kind of failure."""

    kind: str
    status: str
    rows: int = 0
    samples: list[FailedRow] = []


class Failures(msgspec.Struct):
    """All kinds, the most frequent first. `is_whole` is False if the file is longer than what was read."""

    kinds: list[FailureKind] = []
    rows: int = 0
    is_whole: bool = True


def failures_in(blocks: Iterable[bytes]) -> Failures:
    """Count the rows of a `failed.jsonl` while it is read; only the kinds are kept in memory."""
    kinds: dict[str, FailureKind] = {}
    found, read = Failures(), 0
    for line in whole_lines(blocks):
        if found.rows >= MOST_ROWS or read >= MOST_BYTES:
            found.is_whole = False
            break
        read += len(line)
        if line.strip():
            found.rows += 1
            _count(kinds, _fields(line))
    found.kinds = sorted(kinds.values(), key=lambda kind: -kind.rows)
    return found


def kind_of(status: str, reason: str) -> str:
    """Return the kind of a row's failure: an error's type, or the common part of such reasons."""
    if status in {"canceled", "not_sent", "skipped"}:
        return status
    reason = _PLACE.sub("", reason, count=1)
    if status == "rejected":
        reason = reason.partition("; ")[0]  # what follows is advice
    typed = _ERROR_TYPE.match(reason) if status == "failed" else None
    return typed[0] if typed else shortened(_PARTICULAR.sub("…", reason), LONGEST_KIND)


def shortened(text: str, most: int) -> str:
    """Return the text on one line, cut to `most` characters."""
    line = " ".join(text[: most * 4].split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _fields(line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError:
        return {ERROR: "the line cannot be read"}
    return fields if isinstance(fields, dict) else {ERROR: "the line is not an object"}


def _count(kinds: dict[str, FailureKind], fields: dict[str, Any]) -> None:
    status, reason = str(fields.pop(STATUS, "failed")), str(fields.pop(ERROR, ""))
    name = kind_of(status, reason)
    if name not in kinds and len(kinds) >= MOST_KINDS:
        name = OTHER
    kind = kinds.setdefault(name, FailureKind(name, status))
    kind.rows += 1
    if len(kind.samples) < MOST_SAMPLES:
        kind.samples.append(_sample(reason, fields))


def _sample(reason: str, fields: dict[str, Any]) -> FailedRow:
    place, number = _PLACE.match(reason), fields.pop(ROW, None)
    if not isinstance(number, int):
        number = int(place[2]) if place else None
    cells = {str(name): shortened(_text(cell), LONGEST_CELL) for name, cell in fields.items()}
    return FailedRow(number, shortened(reason, LONGEST_CELL * 2), cells)


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    return "" if cell is None else json.dumps(cell, ensure_ascii=False)
