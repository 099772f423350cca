"""Where a sheet's header is: in its first row, below titles, where the recipe says, or nowhere."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pytest

from batchdrop.errors import UploadRejected
from batchdrop.recipe.recipe import Input
from batchdrop.requests.row import Cursor
from tests.formats.reading import Bytes, join, reader_of, rows_in
from tests.formats.sheets import bytes_of, saved
from tests.jobs import World, dropped

TITLES: list[list[Any]] = [["Orders of the north"], [], ["made on 21 October"]]
TABLE: list[list[Any]] = [["nr", "text"], [1, "late"], [2, None], [3, "early"]]


def _read(
    rows: list[list[Any]], options: Input | None = None, wanted: tuple[str, ...] = ()
) -> tuple[list[str] | None, list[str], list[dict[str, Any]]]:
    reader = reader_of("f.xlsx", options=options, wanted=wanted)
    found = list(rows_in(reader, Bytes(saved(rows)), Cursor()))
    again = reader_of("f.xlsx", reader.header, options)
    assert list(rows_in(again, Bytes(saved(rows)), found[0].start)) == found
    return reader.columns, reader.notes, [row.cells for row in found]


def test_a_header_below_titles_is_found_and_said() -> None:
    """A header is found if each row above it is a sentence, and the table is as wide as its header."""
    columns, notes, rows = _read([*TITLES, [], *TABLE])
    assert columns == ["nr", "text"]
    assert notes == ["the header is in row 5, below 'Orders of the north'"]
    assert rows == [{"nr": 1, "text": "late"}, {"nr": 2, "text": None}, {"nr": 3, "text": "early"}]


def test_the_columns_that_the_prompt_uses_name_the_header() -> None:
    """Below titles of one word, too, and beside an empty first column."""
    shifted = [["", "Report"], [], *(["", *row, "beside"] for row in TABLE)]
    columns, notes, rows = _read(shifted, wanted=("text",))
    assert columns == ["column_1", "nr", "text", "beside"]
    assert notes[0] == "the header is in row 3, below 'Report'"
    assert rows[0]["text"] == "late"


@pytest.mark.parametrize(
    "rows",
    [
        [["Report"], *TABLE],  # one word may be the header of a column, with values beside it
        [["two words"], ["a", 2], ["b", 3]],  # no header: it has a number
        [["two words"], ["a", "a"], ["b", "c"]],
        [["two words"], ["a", "b"], ["c", "d", "e"]],
        [["two words"], ["only a row"], ["and another"]],
    ],
)
def test_what_is_not_plain_is_the_first_row(rows: list[list[Any]]) -> None:
    """The recipe may say otherwise."""
    columns, _, _ = _read(rows)
    assert columns is not None
    assert columns[0] == rows[0][0]


def test_skip_counts_the_sheets_rows() -> None:
    """Empty ones too; the header is the first row with a value after them. Nothing is found then."""
    columns, notes, rows = _read([["two words"], ["a", "b"], [], ["x"], [1]], Input(skip=2))
    assert (columns, notes, rows) == (["x"], [], [{"x": 1}])
    assert _read([["two words"], *TABLE], Input(skip=0))[0] == ["two words"]


def test_a_sheet_without_a_header() -> None:
    """Its columns are numbered, or named by the recipe; all its rows are rows."""
    columns, notes, rows = _read(TABLE[1:], Input(header=False))
    assert (columns, notes) == (["column_1", "column_2"], [])
    assert rows[0] == {"column_1": 1, "column_2": "late"}
    columns, _, rows = _read([["a title"], *TABLE[1:]], Input(skip=1, header=["nr", "text", "more"]))
    assert columns == ["nr", "text", "more"]
    assert rows[1] == {"nr": 2, "text": None, "more": None}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (Input(header=["nr"]), "key 'input.header' names 1 columns, but a row has 2 cells"),
        (Input(skip=9), "the sheet 'S' is empty below row 9"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: Input, told: str) -> None:
    """With the key."""
    with pytest.raises(UploadRejected, match=rf"^f\.xlsx: .*{told}"):
        _read(TABLE, options)


def _job(rows: list[list[Any]], options: str) -> World:
    book = openpyxl.load_workbook(io.BytesIO(saved(rows)))
    book.create_sheet("Other")["A1"] = "kept"
    recipe = f"model: claude-haiku-5-5\nprompt: '{{{{ text }}}}'\ninput: {options}\n"
    world = dropped(bytes_of(book), key="inbox/r/f.xlsx", recipe=recipe, rows=2)
    assert world.run().tally.answered == 2
    return world


def _sheets(world: World) -> dict[str, list[list[Any]]]:
    [output] = [body for key, body in world.store.under("results/").items() if key.endswith("/output.xlsx")]
    book = openpyxl.load_workbook(io.BytesIO(output))
    return {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets}


def test_titles_come_back_over_the_table() -> None:
    """With the whole workbook; the new columns' names are in the header's row."""
    sheets = _sheets(_job([["Orders of the north"], *TABLE], "{skip: 1}"))
    assert sheets["Other"] == [["kept"]]
    assert sheets["S"][0] == ["Orders of the north", *[None] * 4]
    assert sheets["S"][1] == ["nr", "text", "answer", "_status", "_error"]
    assert [row[3] for row in sheets["S"][2:]] == ["answered", "rejected", "answered"]


def test_a_workbook_without_a_header_comes_back_without_one() -> None:
    """No row is pushed down: formulas and links point at the same cells as before."""
    sheets = _sheets(_job(TABLE[1:], "{header: [nr, text]}"))
    assert sheets["Other"] == [["kept"]]
    assert [row[3] for row in sheets["S"]] == ["answered", "rejected", "answered"]


def test_a_new_workbook_names_the_columns() -> None:
    """One that is not the upload has a header of its own."""
    header, first, *_ = openpyxl.load_workbook(io.BytesIO(join("xlsx", saved(TABLE[1:]), options=Input(header=False))))[
        "S"
    ].iter_rows(values_only=True)
    assert header[:3] == ("column_1", "column_2", "answer")
    assert first[:3] == (1, "late", "#1")


def test_the_sheet_with_the_recipes_columns_is_read() -> None:
    """A cover often comes first. Hidden sheets are not looked at; without a match it is the first one."""
    book = openpyxl.Workbook()
    book.active.append(["Read me"])
    book.create_sheet("empty")
    book.create_sheet("old").append(["nr", "text"])
    book["old"].sheet_state = "hidden"
    for row in [["Orders"], *TABLE]:
        book.create_sheet("Q3").append(row) if "Q3" not in book.sheetnames else book["Q3"].append(row)
    body = bytes_of(book)
    reader = reader_of("f.xlsx", wanted=("text",))
    found = list(rows_in(reader, Bytes(body), Cursor()))
    assert [row.cells["text"] for row in found] == ["late", None, "early"]
    assert reader.notes[0] == "the rows are on the sheet 'Q3', which has the recipe's columns"
    again = reader_of("f.xlsx", reader.header)
    assert list(rows_in(again, Bytes(body), found[0].start)) == found
    first = reader_of("f.xlsx", wanted=("other",))
    list(rows_in(first, Bytes(body), Cursor()))
    assert first.columns == ["Read me"]


def test_a_found_sheet_gets_the_new_columns() -> None:
    """And the cover stays."""
    book = openpyxl.Workbook()
    book.active.append(["Read me"])
    for row in TABLE:
        book.create_sheet("Q3").append(row) if "Q3" not in book.sheetnames else book["Q3"].append(row)
    recipe = "model: claude-haiku-5-5\nlane: batch\nprompt: 'say {{ text }}'\n"
    job = dropped(bytes_of(book), key="inbox/r/f.xlsx", recipe=recipe)
    job.run()
    out = openpyxl.load_workbook(io.BytesIO(job.result("output.xlsx")))
    assert [cell.value for cell in out["Sheet"][1]] == ["Read me"]
    assert [cell.value for cell in out["Q3"][1]][:3] == ["nr", "text", "answer"]
