"""Fill the table of a job's results from its output. It runs as a process of its own: `python -m …filling PLAN`.

So a file that cannot be read, or takes much memory, does not harm the console.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from batchdrop.cli.job.first_rows import output_rows
from batchdrop.cli.ui.results.columns import Headings, ResultColumn
from batchdrop.local.exit_with_parent import exit_with_parent_if_requested

PEEKED = 1_000  # rows whose columns are shown, of formats whose rows name their own
BLOCK = 20_000  # rows in memory
MEMORY = "512MB"  # of the database, while it is filled
EXACT = 1e15  # smaller whole numbers are written as such
MOST_LABELS = 30  # a column of the file with at most so many values is one of labels


class Plan(msgspec.Struct, frozen=True):
    """What to fill: the output on this machine, the database to make, and the columns."""

    output: str
    database: str
    headings: Headings


class Filled(msgspec.Struct, frozen=True):
    """A filled table: its columns and its rows. `lowest` and `highest` are of its number columns, by place."""

    columns: list[ResultColumn]
    rows: int
    lowest: dict[int, float] = {}
    highest: dict[int, float] = {}


def fill(plan: Plan, tell: Callable[[int], None]) -> Filled:
    """Make the database of an output. `tell` gets the number of rows so far, after each block."""
    import duckdb

    config: dict[str, Any] = {"memory_limit": MEMORY, "threads": 2, "temp_directory": f"{plan.database}.spill"}
    with (
        output_rows(Path(plan.output), peeks=PEEKED, has_header=plan.headings.has_header) as (names, rows),
        duckdb.connect(plan.database, config=config) as database,
    ):
        columns, blocks = plan.headings.columns(names), _blocks(rows)
        first = next(blocks, [])
        columns = [_seen(column, first) for column in columns]
        database.execute(_table(columns))
        count = 0
        for block in itertools.chain([first], blocks):
            _insert(database, columns, block, count)
            count += len(block)
            tell(count)
        filled = _described(database, columns, count)
        database.execute("CREATE TABLE about AS SELECT ?::VARCHAR AS json", [msgspec.json.encode(filled).decode()])
    return filled


def _blocks(rows: Iterator[list[Any]]) -> Iterator[list[list[Any]]]:
    while block := list(itertools.islice(rows, BLOCK)):
        yield block


def _seen(column: ResultColumn, rows: Sequence[Sequence[Any]]) -> ResultColumn:
    """Return a column of the file as one of numbers, if its first cells are."""
    cells = [text for row in rows[:PEEKED] if (text := cell_text(row[column.place]).strip())]
    if column.is_new or not cells or not all(map(_is_number, cells)):
        return column
    return msgspec.structs.replace(column, kind="number")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == "0" or not (text[0] == "0" and text[1:2].isdigit())  # 007 is a name


def _table(columns: Sequence[ResultColumn]) -> str:
    kept = ", ".join(f"{column.text} VARCHAR" for column in columns)
    numbers = "".join(f", n{column.place} DOUBLE" for column in columns if column.kind == "number")
    return f"CREATE TABLE rows (r BIGINT, {kept}{numbers})"


def _insert(database: Any, columns: Sequence[ResultColumn], rows: Sequence[Sequence[Any]], before: int) -> None:
    import pyarrow as pa

    cells = [_array(column) for column in zip(*rows, strict=True)]
    numbers = pa.array(range(before + 1, before + len(rows) + 1), pa.int64())
    block = pa.table([numbers, *cells], names=["r", *(column.text for column in columns)])
    taken = ", ".join(column.text for column in columns)
    read = "".join(f", TRY_CAST(c{one.place} AS DOUBLE)" for one in columns if one.kind == "number")
    database.register("block", block)
    database.execute(f"INSERT INTO rows SELECT r, {taken}{read} FROM block")  # noqa: S608 -- our own names only
    database.unregister("block")


def _array(cells: Sequence[Any]) -> Any:
    import pyarrow as pa

    if all(type(cell) is str for cell in cells):
        with contextlib.suppress(UnicodeEncodeError):  # half a surrogate pair
            return pa.array(cells, pa.string())
    return pa.array(map(cell_text, cells), pa.string())


def cell_text(cell: Any) -> str:
    """Return a cell as text: a list or an object as JSON, nothing as an empty text."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell.encode("utf-8", "replace").decode() if not cell.isascii() else cell
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, (list, dict)):
        return json.dumps(cell, ensure_ascii=False, default=str)
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < EXACT:
        return str(int(cell))
    return str(cell)


def _described(database: Any, columns: Sequence[ResultColumn], count: int) -> Filled:
    numbers = [column.place for column in columns if column.kind == "number"]
    wanted = [f"approx_count_distinct({column.text})" for column in columns]
    finite = "FILTER (isfinite(n{0}))"
    wanted += [f"{end}(n{place}) {finite.format(place)}" for place in numbers for end in ("min", "max")]
    found = database.execute(f"SELECT {', '.join(wanted)} FROM rows").fetchone()  # noqa: S608 -- our own names only
    distinct, ends = found[: len(columns)], found[len(columns) :]
    shown = [
        msgspec.structs.replace(column, kind="label")
        if column.kind == "text" and not column.is_new and values <= min(MOST_LABELS, count // 3)
        else column
        for column, values in zip(columns, distinct, strict=True)
    ]
    low, high = (dict(zip(numbers, ends[start::2], strict=True)) for start in (0, 1))
    return Filled(
        shown, count, {k: v for k, v in low.items() if v is not None}, {k: v for k, v in high.items() if v is not None}
    )


def main(plan: str) -> None:
    """Fill the table of a plan, and print the number of rows so far, a line each."""
    exit_with_parent_if_requested()
    wanted = msgspec.json.decode(Path(plan).read_bytes(), type=Plan)
    fill(wanted, lambda rows: print(rows, flush=True))  # noqa: T201 -- the console reads it


if __name__ == "__main__":
    main(sys.argv[1])
