"""CSV, property-tested: any table comes back with the same cells and three more columns."""

from __future__ import annotations

import csv

from hypothesis import given
from hypothesis import strategies as st

from batchdrop.adapters.formats.csv.input import SPACES
from batchdrop.answers.outcome import Outcome, failed, rejected
from batchdrop.recipe.recipe import Output
from batchdrop.requests.row import Cursor
from tests.formats.reading import (
    Bytes,
    answered,
    cut_everywhere,
    failed_lines,
    join,
    parsed,
    read,
    read_from,
    reader_of,
    rows_in,
    table,
)
from tests.strategies import cells

ADDED = ["answer", "_status", "_error"]
quotings = st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
line_ends = st.sampled_from(["\n", "\r\n"])


def _has_commas_only(header: list[str]) -> bool:
    """Return whether no other delimiter would be found in a header of one column."""
    return len(header) > 1 or not {";", "\t"} & set(header[0])


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """Return a header of distinct names and rows of the same width."""
    names = cells(lone_cr=True).map(str.strip).filter(lambda name: name not in {"", *ADDED} and "\ufeff" not in name)
    header = draw(st.lists(names, min_size=1, max_size=4, unique=True).filter(_has_commas_only))
    rows = draw(st.lists(st.lists(cells(lone_cr=True), min_size=len(header), max_size=len(header)), max_size=6))
    # A row of one empty cell is written as an empty line, and an empty line is not a row.
    return [header, *(row for row in rows if row != [""])]


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Return a table as a file: with or without BOM, any line end, any quoting, the last line end there or not."""
    written = draw(tables())
    body = table(written, line_end=draw(line_ends), quoting=draw(quotings))
    if draw(st.booleans()):
        body = body.rstrip(b"\r\n") if not written[-1][-1].endswith(("\r", "\n")) else body
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + body


@given(tables(), line_ends, quotings)
def test_rows_are_read_as_they_are(rows: list[list[str]], line_end: str, quoting: int) -> None:
    """Each row has the cells that were written, under the header's names, and its number; a blank one has none."""
    found = read("csv", table(rows, line_end=line_end, quoting=quoting))
    filled = [row if any(cell.strip(SPACES) for cell in row) else [] for row in rows[1:]]
    written = [dict(zip(rows[0], row, strict=False)) for row in filled]
    assert [row.cells for row in found] == written
    assert [row.number for row in found] == list(range(1, len(rows)))


@given(tables(), line_ends, quotings, cells(lone_cr=True))
def test_the_output_is_the_table_and_three_columns(
    rows: list[list[str]], line_end: str, quoting: int, text: str
) -> None:
    """Read with the csv module, the output has the same cells in the same order, then answer, status and error."""
    body = table(rows, line_end=line_end, quoting=quoting)
    output = join("csv", body, lambda _row: answered(text), Output(escape_formulas=False))
    assert parsed(output) == [rows[0] + ADDED, *([*row, text, "answered", ""] for row in rows[1:])]


@given(files())
def test_a_rows_own_text_is_never_written_anew(body: bytes) -> None:
    """Before the new cells, each output row is byte for byte the input's."""
    output = join("csv", body, lambda row: answered(f"#{row.number}"))
    for row in read("csv", body):
        assert row.raw.encode() + b",#%d,answered," % row.number in output


@given(files(), st.integers())
def test_blocks_may_end_anywhere(body: bytes, seed: int) -> None:
    """Rows are the same however the bytes are cut: within quotes, line ends, characters, the BOM."""
    assert read("csv", body, pieces=[*cut_everywhere(body, seed), b""]) == read("csv", body)


@given(files())
def test_reading_goes_on_at_every_row(body: bytes) -> None:
    """From each row's cursor, with the header from the manifest, the rest is the same to the last field."""
    whole = reader_of("f.csv")
    rows = list(rows_in(whole, Bytes(body), Cursor()))
    for number, row in enumerate(rows):
        assert read_from("f.csv", whole.header, body, row.start) == rows[number:]


@given(tables(), st.lists(st.sampled_from(["answered", "failed", "rejected"]), min_size=6, max_size=6))
def test_failed_rows_come_back_as_json(rows: list[list[str]], fates: list[str]) -> None:
    """A line of failed.jsonl read as JSONL has the row's own cells again, and nothing of ours."""
    found = read("csv", table(rows))
    outcomes = [failed("why") if fate == "failed" else rejected("why") for fate in fates]
    lines = failed_lines("csv", table(rows), lambda row: outcomes[row.start.rows])
    again = read("jsonl", lines)
    whole = {row.number: row.cells for row in found if not row.error}
    assert {row.number: row.cells for row in again if row.number in whole} == whole


@given(
    st.lists(st.lists(cells(), min_size=1, max_size=5).filter(any), min_size=1, max_size=6),
    st.sampled_from([failed("x"), answered("y"), Outcome("answered", "refusal", error="z")]),
)
def test_ragged_rows_still_make_a_table(rows: list[list[str]], outcome: Outcome) -> None:
    """Rows of any width come out as wide as the header, so that the output is a table; the misfits are rejected."""
    output = join("csv", table([["a", "b", "c"], *rows]), lambda row: rejected(row.error) if row.error else outcome)
    written = parsed(output)
    assert {len(row) for row in written} == {6}
    for row, found in zip(rows, written[1:], strict=True):
        assert found[:3] == [*row, "", ""][:3]
        assert (found[4] == "rejected") == (
            len(row) < 3 or any(map(str.strip, row[3:])) or not any(map(str.strip, row))
        )
