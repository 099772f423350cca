"""Count the rows without a usable answer by kind of failure, with a few sample rows of each."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from batchdrop.answers.outcome import Fate, Outcome
from batchdrop.requests.row import StoredRow

MOST_KINDS = 20  # distinct kinds; later ones count as OTHER
MOST_SAMPLES = 5  # rows shown per kind
MOST_CELLS = 6  # per sample
LONGEST_CELL, LONGEST_REASON = 80, 240  # characters
OTHER = "other"

_ERROR_TYPE = re.compile(r"[A-Za-z]\w*(?=: |$)")
_PARTICULAR = re.compile(r"\d[\d.,]*|'[^']*'|\"[^\"]*\"")


class Sample(msgspec.Struct, frozen=True):
    """A sample row. `row` counts from 1; `cells` are its first cells, `answer` is the paid answer, all shortened."""

    row: int
    reason: str
    cells: dict[str, str] = {}
    answer: str = ""


class FailureKind(msgspec.Struct):
    """The number of rows with this failure, and the first few of them."""

    fate: Fate
    rows: int = 0
    samples: list[Sample] = []


class Failures(msgspec.Struct):
    """Rows that are not answered, by kind: error type, status, or the common part of reject reasons."""

    kinds: dict[str, FailureKind] = {}

    def count(self, outcome: Outcome) -> FailureKind:
        """Count a row and return its kind. The caller adds a sample if `wants_sample`."""
        kind = self._kind(kind_of(outcome), outcome.fate)
        kind.rows += 1
        return kind

    def merge(self, other: Failures) -> None:
        """Add the failures of a shard that comes later in the file."""
        for name, theirs in other.kinds.items():
            kind = self._kind(name, theirs.fate)
            kind.rows += theirs.rows
            kind.samples = [*kind.samples, *theirs.samples][:MOST_SAMPLES]

    def _kind(self, name: str, fate: Fate) -> FailureKind:
        if name not in self.kinds and len(self.kinds) >= MOST_KINDS:
            name = OTHER
        return self.kinds.setdefault(name, FailureKind(fate))


def wants_sample(kind: FailureKind) -> bool:
    """Return whether a kind has room for another sample."""
    return len(kind.samples) < MOST_SAMPLES


def sample_of(row: StoredRow, outcome: Outcome, cells: dict[str, Any] | None) -> Sample:
    """Return a sample of a row; `cells` None means that its text could not be parsed."""
    shown = {"row": row.raw} if cells is None else dict(list(cells.items())[:MOST_CELLS])
    return Sample(
        row=row.row,
        reason=shortened(outcome.error, LONGEST_REASON),
        cells={
            shortened(str(name), LONGEST_CELL): shortened(_text(cell), LONGEST_CELL) for name, cell in shown.items()
        },
        answer=shortened(outcome.raw or _first_text(outcome), LONGEST_REASON),
    )


def kind_of(outcome: Outcome) -> str:
    """Return the kind of a row's failure: its reason without numbers and quoted text."""
    match outcome.status:
        case "failed":
            known = _ERROR_TYPE.match(outcome.error)
            return known[0] if known else _general(outcome.error)
        case "rejected":
            _, _, reason = outcome.error.partition(": ")  # `row 17 (line 23): …`
            return _general(_without_advice(reason or outcome.error))
        case status:
            return status


def shortened(text: str, most: int) -> str:
    """Return the text, shortened to `most` characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _without_advice(reason: str) -> str:
    return reason.partition("; ")[0]


def _general(reason: str) -> str:
    return shortened(_PARTICULAR.sub("…", reason[:LONGEST_REASON]), LONGEST_CELL)


def _first_text(outcome: Outcome) -> str:
    return next((value for value in outcome.values if isinstance(value, str)), "")


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    return cell if isinstance(cell, str) else str(cell)[: LONGEST_CELL + 1]
