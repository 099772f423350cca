"""The table of tried rows: typed answers beside the row's own columns, and beside another version's answers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from batchdrop.cli.trial.trying import Shown
from batchdrop.cli.ui.trying.versions import Version, recipe_changes

Kind = Literal["number", "label", "text", "none"]
Beside = Literal["missing", "same", "differs"]  # missing: the other version did not try this row
MOST_LABELS = 12  # different values of a column that count as labels
FEW_LABELS = 3  # so many do even if only one of them repeats
TIMES = 3  # how often each repeats otherwise, on average: texts of rows that are the same repeat, too
LONGEST_LABEL = 40  # characters
SHOWN = 300  # characters of a cell; the rest is in the row's story
ANSWERED = {"answered", "remembered"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to show: all rows, the changed or the unusable ones; one label (`column=value`); rows with a text."""

    version: int = 0
    compare: int = 0
    show: str = "all"
    label: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """An answer as text. `beside` says how the other version's is, `before` has it if it differs."""

    text: str
    kind: Kind
    before: str | None = None
    beside: Beside = "missing"


@dataclass(frozen=True, slots=True)
class RowView:
    """A row of the table."""

    number: int
    cells: list[str]
    answers: list[Cell]
    status: str
    error: str
    is_usable: bool
    is_changed: bool


@dataclass(frozen=True, slots=True)
class AnswersView:
    """The table. `labels` are values of answers with their counts, for a click; `counts` those of the filters."""

    version: Version
    compared: Version | None
    wanted: Wanted
    columns: list[str]
    answer_columns: list[tuple[str, Kind]]
    rows: list[RowView]
    counts: dict[str, int]
    labels: list[tuple[str, str, int]]
    changes: list[tuple[str, str]]

    @property
    def has_states(self) -> bool:
        """Return whether a row that is shown has no usable answer."""
        return not all(row.is_usable for row in self.rows)


def answers_view(version: Version, compared: Version | None, wanted: Wanted) -> AnswersView:
    """Return the table of a version as it is wanted."""
    shown = version.tried.rows
    columns = list(dict.fromkeys(name for one in shown for name in one.cells))
    fields = list(dict.fromkeys(name for one in shown for name in one.answer))
    kinds = {name: _kind([one.answer[name] for one in shown if name in one.answer]) for name in fields}
    rows = [row_view(one, _other(one, compared), columns, kinds) for one in shown]
    labels = _labels(shown, kinds)
    return AnswersView(
        version,
        compared,
        wanted,
        columns,
        [*kinds.items()],
        [row for row, one in zip(rows, shown, strict=True) if _is_wanted(row, one, wanted)],
        {
            "all": len(rows),
            "changed": sum(row.is_changed for row in rows),
            "unusable": sum(not row.is_usable for row in rows),
        },
        labels,
        recipe_changes(compared, version) if compared else [],
    )


def row_view(shown: Shown, other: Shown | None, columns: list[str], kinds: Mapping[str, Kind]) -> RowView:
    """Return one row; `other` is the same row of the version beside it."""
    answers = [_cell(name, kind, shown, other) for name, kind in kinds.items()]
    is_changed = any(cell.before is not None for cell in answers)
    usable = shown.status in ANSWERED
    cells = [_text(shown.cells.get(name)) for name in columns]
    return RowView(shown.row, cells, answers, shown.status, shown.error, usable, is_changed)


def _other(shown: Shown, compared: Version | None) -> Shown | None:
    return compared.row(shown.row) if compared else None


def _cell(name: str, kind: Kind, shown: Shown, other: Shown | None) -> Cell:
    text = _text(shown.answer.get(name))
    own: Kind = kind if text else "none"
    if other is None:
        return Cell(text, own)
    before = _text(other.answer.get(name))
    return Cell(text, own, beside="same") if before == text else Cell(text, own, before, "differs")


def _is_wanted(row: RowView, shown: Shown, wanted: Wanted) -> bool:
    if (wanted.show == "changed" and not row.is_changed) or (wanted.show == "unusable" and row.is_usable):
        return False
    column, _, value = wanted.label.partition("=")
    if wanted.label and _text(shown.answer.get(column)) != value:
        return False
    texts = (*row.cells, *(cell.text for cell in row.answers), row.error)
    return wanted.text.casefold() in "\n".join(texts).casefold()


def _kind(values: list[Any]) -> Kind:
    known = [value for value in values if value is not None]
    if not known:
        return "none"
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return "number"
    texts = {_text(value) for value in known}
    short = all(len(text) <= LONGEST_LABEL for text in texts)
    repeats = len(texts) < len(known) or len(known) == 1
    few = len(texts) <= FEW_LABELS or TIMES * len(texts) <= len(known)
    return "label" if short and repeats and few and len(texts) <= MOST_LABELS else "text"


def _labels(shown: list[Shown], kinds: Mapping[str, Kind]) -> list[tuple[str, str, int]]:
    found = []
    for name in (name for name, kind in kinds.items() if kind == "label"):
        counted = Counter(_text(one.answer[name]) for one in shown if one.answer.get(name) is not None)
        found += [(name, value, count) for value, count in counted.most_common()]
    return found


def _text(value: Any) -> str:
    """Return a value as text: what JSON would write, and texts as they are."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
