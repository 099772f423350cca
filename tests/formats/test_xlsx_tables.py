"""xlsx: any sheet comes back with its own cells and the new columns; reading goes on at any row."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchdrop.adapters.formats.xlsx.input import XlsxInput
from batchdrop.adapters.formats.xlsx.output import XlsxOutput
from batchdrop.answers.columns import Column, NewColumns
from batchdrop.requests.row import Row
from tests.formats.office import START, Bytes, answer, assembled, part_of
from tests.formats.reading import rows_in
from tests.formats.sheets import bytes_of, opened, read, xlsx_output
from tests.strategies import cells

NEW = NewColumns(answer=(Column("label_"), Column("score_", "number"), Column("ok_", "boolean")), error="_why")
NAMES = ["a", "b", "c"]
FORMATS = ["General", "0.00", "yyyy-mm-dd", "h:mm:ss", "[h]:mm", "@", "0.0%", '"€" 0']
HELD = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")

texts = st.text(HELD, min_size=1, max_size=9).filter(lambda text: "_x" not in text)
numbers = st.integers(-(10**14), 10**14) | st.floats(-1e300, 1e300)  # near the last float, openpyxl rounds to infinity
times = st.datetimes(dt.datetime(1900, 3, 1), dt.datetime(9999, 12, 30)).map(lambda t: t.replace(microsecond=0))  # noqa: DTZ001 - a workbook knows no zones
errors = st.sampled_from(["#N/A", "#DIV/0!", "#REF!"])


@st.composite
def workbooks(draw: st.DrawFn) -> bytes:
    """Return workbooks of one sheet: any values, formats, gaps and date system, as openpyxl writes them."""
    import openpyxl
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    book = openpyxl.Workbook()
    if draw(st.booleans()):
        book.epoch = CALENDAR_MAC_1904
    sheet = book.active
    sheet.append(NAMES)
    values = st.none() | texts | numbers | st.booleans() | times | errors
    for number in range(2, 2 + draw(st.integers(0, 6))):
        for column in (1, 2, 3):
            cell = sheet.cell(number, column)
            value = draw(values)
            cell.value = value
            if isinstance(value, str) and not value.startswith("#"):
                cell.data_type = "s"
            if not isinstance(value, dt.datetime):
                cell.number_format = draw(st.sampled_from(FORMATS))
    return bytes_of(book)


def _cells(body: bytes) -> list[list[tuple[Any, Any, Any]]]:
    """Return value, type and number format of all cells of the rows that have a value."""
    rows = [
        [(cell.value, cell.data_type, cell.number_format if cell.value is not None else "") for cell in row]
        for row in opened(body).worksheets[0]
    ]
    return [row for row in rows if any(value is not None for value, _, _ in row)]


@pytest.mark.filterwarnings("ignore:Cell .* is marked as a date")  # openpyxl's, of numbers that are none
@settings(deadline=None, max_examples=40)
@given(workbooks(), st.integers(1, 3))
def test_any_sheet_comes_back_with_new_columns(body: bytes, shard_rows: int) -> None:
    """Values, types and number formats are the input's, however its rows are cut into shards."""
    before = _cells(body)
    after = _cells(xlsx_output(body, NEW, answer("good", 0.5, *[True]), shard_rows=shard_rows))
    assert [row[:3] for row in after] == [[*row, *[(None, "n", "")] * (3 - len(row))][:3] for row in before]
    assert [[value for value, _, _ in row[3:]] for row in after[1:]] == [["good", 0.5, True, "answered", None]] * (
        len(before) - 1
    )


@settings(deadline=None, max_examples=40)
@given(workbooks())
def test_reading_goes_on_at_every_row(body: bytes) -> None:
    """From each row's cursor, with the header of the first reading, the rest is the same."""
    reader = XlsxInput("f.xlsx")
    rows = list(rows_in(reader, Bytes(body), START))
    for number, row in enumerate(rows):
        assert list(rows_in(XlsxInput("f.xlsx", reader.header), Bytes(body), row.start)) == rows[number:]


@settings(deadline=None, max_examples=40)
@given(workbooks())
def test_cells_are_what_raw_says(body: bytes) -> None:
    """A row's stored text gives the prompt's cells back, by the header alone."""
    reader = XlsxInput("f.xlsx")
    rows = list(rows_in(reader, Bytes(body), START))
    later = XlsxInput("f.xlsx", reader.header)
    assert [later.cells(row.raw) for row in rows] == [row.cells for row in rows]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(cells(lone_cr=True), cells(lone_cr=True)), max_size=5))
def test_any_text_comes_back_as_text(table: list[tuple[str, str]]) -> None:
    """What a CSV's cells hold, control characters and formulas too, is the same text in the workbook."""
    rows = {str(number): {"a": a, "b": b} for number, (a, b) in enumerate(table)}
    writer = XlsxOutput(NewColumns(), columns=[Column("a"), Column("b")], cells=rows.__getitem__)
    out = assembled(writer, [part_of(writer, [Row(raw, START) for raw in rows], answer("x"))])
    again = [{name: row.cells[name] for name in ("a", "b")} for row in read(out)]
    assert again == list(rows.values())
