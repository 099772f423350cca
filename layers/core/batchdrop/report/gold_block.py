"""How often a job's answers are right, in the summary's format. Only rows with a truth say anything."""

from __future__ import annotations

from typing import Literal

import msgspec

from batchdrop.report.gold_counts import GoldByField, GoldCounts, UnreadableRow, WrongRow
from batchdrop.saver.intervals import CONFIDENCE, wilson
from batchdrop.saver.words import percent


class ErrorBlock(msgspec.Struct, frozen=True):
    """The answers minus their truths, of a number field: their mean, the mean of their sizes, and the two ends."""

    mean: float
    mean_absolute: float
    low: float
    high: float


class GoldBlock(msgspec.Struct, frozen=True, kw_only=True):
    """An answer field compared with the column that holds its truth.

    `truths` are the rows with a truth; `answered` those of them with a usable answer, of which `right` and `wrong` are
    parts. `accuracy` is right / answered; it is null without such rows, and from `low` to `high` with `confidence` for
    rows like these. `confusion` has the answers by truth. `wrong_rows` are the first; `all_wrong` says where all are.
    `unreadable` counts the cells that do not fit the answer's type.
    """

    field: str
    column: str
    kind: Literal["label", "number", "text"]
    truths: int
    answered: int
    right: int
    wrong: int
    accuracy: float | None
    low: float | None
    high: float | None
    confidence: float = CONFIDENCE
    confusion: dict[str, dict[str, int]] | None = None
    errors: ErrorBlock | None = None
    wrong_rows: list[WrongRow] = []
    all_wrong: str = ""
    unreadable: int = 0
    unreadable_rows: list[UnreadableRow] = []


def gold_blocks(gold: GoldByField, output: str | None) -> list[GoldBlock]:
    """Return a block for each field. `output` is the key of the job's output."""
    return [_block(field, counts, output) for field, counts in gold.items()]


def _block(field: str, counts: GoldCounts, output: str | None) -> GoldBlock:
    rows, wrong = counts.answered, counts.answered - counts.right
    interval = wilson(counts.right, rows) if rows else None
    file = output.rpartition("/")[2] if output else ""
    return GoldBlock(
        field=field,
        column=counts.column,
        kind=counts.kind,
        truths=counts.truths,
        answered=rows,
        right=counts.right,
        wrong=wrong,
        accuracy=counts.right / rows if rows else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        confusion=counts.confusion if counts.kind == "label" else None,
        errors=_errors(counts),
        wrong_rows=counts.wrong,
        all_wrong=f"{file}: the rows whose '{counts.name}' differs from '{counts.column}'" if wrong and file else "",
        unreadable=counts.unreadable,
        unreadable_rows=counts.unreadable_rows,
    )


def _errors(counts: GoldCounts) -> ErrorBlock | None:
    low, high, count = counts.errors.low, counts.errors.high, counts.errors.count
    if low is None or high is None:
        return None
    return ErrorBlock(counts.difference / count, counts.absolute / count, low, high)


def gold_words(block: GoldBlock) -> str:
    """Return the accuracy of a field in one sentence, with its interval and what it was counted on."""
    cells = f"; {_counted(block.unreadable, 'cell')} of '{block.column}' cannot be read" if block.unreadable else ""
    if not block.truths:
        return f"no row has a truth in '{block.column}'{cells}"
    missing = block.truths - block.answered
    without = f"; {_counted(missing, 'row')} with a truth and no usable answer" if missing else ""
    if block.accuracy is None or block.low is None or block.high is None:
        return f"unknown: none of the {_counted(block.truths, 'row')} with a truth has a usable answer{cells}"
    sure = f"{100 * block.low:.1f} to {100 * block.high:.1f} % with {100 * block.confidence:g} % confidence"
    of = f"{block.right:,} of {_counted(block.answered, 'row')} with a truth"
    return f"accuracy {percent(block.right, block.answered)} ({of}; {sure}){without}{cells}"


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
