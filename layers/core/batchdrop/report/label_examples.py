"""Find a few example rows for each label of an answer column, in bounded memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec

from batchdrop.requests.row import StoredRow

MOST_EXAMPLES = 3  # rows shown per label
MOST_COLUMNS = 4  # answer columns with examples
LONGEST_EXAMPLE = 120  # characters

CellsOf = Callable[[str], dict[str, Any] | None]


class Example(msgspec.Struct, frozen=True):
    """A row with some label. `row` counts from 1; `text` is its longest cell, shortened."""

    row: int
    text: str


Examples = dict[str, list[Example]]  # by label


def merge_examples(examples: Examples, others: Mapping[str, list[Example]], counted: Iterable[str]) -> None:
    """Add the examples of a shard that comes later in the file, for the labels that are `counted`."""
    known = set(counted)
    for label, theirs in others.items():
        if label in known:
            examples[label] = [*examples.get(label, []), *theirs][:MOST_EXAMPLES]


class ExampleFinder:
    """Finds the first rows of each label. A chunk without a label that wants rows costs one set."""

    def __init__(self, cells_of: CellsOf) -> None:
        self._cells_of = cells_of
        self._done: defaultdict[str, set[Any]] = defaultdict(lambda: {None})

    def look(
        self,
        column: str,
        rows: Sequence[StoredRow],
        labels: Sequence[Iterable[Any]],
        *,
        written: Callable[[Any], str],
        counted: Mapping[str, int],
        examples: Examples,
    ) -> None:
        """Add rows to `examples`; `labels` has each row's labels. Labels that are not `counted` get none."""
        if column not in self._done and len(self._done) >= MOST_COLUMNS:
            return
        done = self._done[column]
        if done.issuperset(chain.from_iterable(labels)):
            return
        for row, own in zip(rows, labels, strict=True):
            for label in dict.fromkeys(own):
                if label not in done:
                    self._add(row, label, written(label), done, counted, examples)

    def _add(
        self,
        row: StoredRow,
        label: Any,
        name: str,
        done: set[Any],
        counted: Mapping[str, int],
        examples: Examples,
    ) -> None:
        found = examples.setdefault(name, []) if name in counted else []
        if name in counted and len(found) < MOST_EXAMPLES and (not found or found[-1].row != row.row):
            found.append(Example(row.row, _longest_cell(self._cells_of(row.raw), row.raw)))
        if name not in counted or len(found) >= MOST_EXAMPLES:
            done.add(label)


def _longest_cell(cells: dict[str, Any] | None, raw: str) -> str:
    texts = [raw] if cells is None else [cell if isinstance(cell, str) else _text(cell) for cell in cells.values()]
    longest = " ".join(max(texts, key=len, default="")[: 4 * LONGEST_EXAMPLE].split())
    return longest if len(longest) <= LONGEST_EXAMPLE else longest[: LONGEST_EXAMPLE - 1] + "…"


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)
