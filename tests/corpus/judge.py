"""Judge a job's output beside its upload, by readers that are not ours: no row is lost, doubled, moved or changed."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

from tests.corpus.readers import Read, plain, readings, unpacked

NEW = ("answer", "_status", "_error")
_SHOWN = 3  # faults of one file


@dataclass(frozen=True)
class Job:
    """A closed job: the upload, the output, how many rows it counted, and its notes on what the output cannot keep."""

    name: str
    upload: bytes
    output_name: str
    output: bytes
    rows: int
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> set[str]:
        """Return the columns whose values are written in another type, and said to be."""
        return set(re.findall(r"column '([^']*)' has the Parquet type", "\n".join(self.notes)))


def faults(job: Job, scratch: Path) -> list[str]:
    """Return what is wrong with an output; nothing if all is well. Raises Unread where nobody else reads the upload."""
    kind, body = unpacked(job.name, job.upload)
    out_kind, output = unpacked(job.output_name, job.output)
    after = readings(out_kind, output, scratch)
    if kind == "zip":
        befores = [readings(one, content, scratch) for one, content in _members(body)]
        if len(befores) > 1:
            rows = sum(len(each[0].rows) - (each[0].columns is None) for each in befores)
            return [fault for one in after for fault in _count_faults(one, rows)]
        before = befores[0]
    else:
        before = readings(kind, body, scratch)
    found: list[str] = []
    for own in after:
        same = next((one for one in before if one.reader == own.reader), None)
        if same is None and own.columns is not None and len(after) > 1:
            continue  # it does not read the upload, and readers have their own words for maps, times and keys
        same = same or before[0]
        found += [f"{own.reader}: {fault}" for fault in _differences(same, own, job)]
    return found[:_SHOWN]


def _members(body: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(BytesIO(body)) as archive:
        for name in archive.namelist():
            if not name.startswith("__MACOSX") and not name.endswith(".txt"):
                yield unpacked(name, archive.read(name))


def _count_faults(after: Read, rows: int) -> Iterator[str]:
    own = len(after.rows) - (after.columns is None)
    if own != rows:
        yield f"{after.reader}: {own} rows of {rows}"


def _differences(before: Read, after: Read, job: Job) -> Iterator[str]:
    old_names, old_rows = before.columns, before.rows
    names, new_rows = after.columns, after.rows
    if names is None:
        names, new_rows, titles = _below_titles(after)
        if titles and before.columns is None and titles != _trimmed_rows(before.rows[: len(titles)]):
            yield f"the titles {titles} are not the upload's"
    if tuple(names[-len(NEW) :]) != NEW:
        yield f"its last columns are {names[-len(NEW) :]}"
        return
    own = names[: -len(NEW)]
    if old_names is None:
        old_names, old_rows = _below(before, own)
    if len(new_rows) != len(old_rows) or job.rows != len(new_rows):
        yield f"{len(old_rows)} rows in the upload, {job.rows} in the summary, {len(new_rows)} in the output"
        return
    if [one.strip() for one in old_names] != [one.strip() for one in own]:
        yield f"columns {old_names[:5]} became {own[:5]}"
    kept = [place for place, name in enumerate(own) if name not in job.changed]
    yield from islice(_row_differences(old_rows, new_rows, kept, len(own)), 1)
    if len(after.sheets) > 1:  # else it is a workbook of its own, with the sheet that was read
        yield from (f"the sheet '{sheet}' is gone" for sheet in before.sheets if sheet not in after.sheets)


def _row_differences(old_rows: list[list[Any]], new_rows: list[list[Any]], kept: list[int], own: int) -> Iterator[str]:
    for number, (old, new) in enumerate(zip(old_rows, new_rows, strict=True), start=1):
        padded = [*old, *[None] * (own - len(old))]
        was, now = [padded[place] for place in kept], [new[place] for place in kept]
        if [plain(cell) for cell in was] != [plain(cell) for cell in now]:
            yield f"row {number}: {_first_difference(was, now)}"
        status, error = new[own + 1], new[own + 2]
        if status not in {"answered", "rejected"} or (status == "answered") == bool(error):
            yield f"row {number}: status {status!r}, error {error!r}"


def _below_titles(after: Read) -> tuple[list[str], list[list[Any]], list[list[Any]]]:
    """Return an output's columns, its rows, and the titles over its header, which ends in the new columns."""
    for at, row in enumerate(after.rows):
        names = _trimmed(row)
        if tuple(names[-len(NEW) :]) == NEW:
            return (
                ["" if name is None else str(name) for name in names],
                after.rows[at + 1 :],
                _trimmed_rows(after.rows[:at]),
            )
    return [], after.rows, []


def _below(before: Read, own: list[str]) -> tuple[list[str], list[list[Any]]]:
    """Return an upload's columns and rows; its header is the first row that has the output's names."""
    wanted = _trimmed([name or None for name in own])
    for at, row in enumerate(before.rows):
        if [None if cell is None else str(cell).strip() for cell in _trimmed(row)] == [
            None if cell is None else cell.strip() for cell in wanted
        ]:
            return own, before.rows[at + 1 :]
    return [], before.rows


def _trimmed(row: list[Any]) -> list[Any]:
    cells = [None if cell == "" else cell for cell in row]
    while cells and cells[-1] is None:
        cells.pop()
    return cells


def _trimmed_rows(rows: list[list[Any]]) -> list[list[Any]]:
    return [_trimmed(row) for row in rows]


def _first_difference(old: list[Any], new: list[Any]) -> str:
    for place, (one, other) in enumerate(zip(old, new, strict=False), start=1):
        if plain(one) != plain(other):
            return f"column {place}: {one!r} became {other!r}"
    return f"{len(old)} cells became {len(new)}"
