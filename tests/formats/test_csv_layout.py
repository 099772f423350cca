"""Tables as people have them: where the header is, what divides cells, and rows that are nearly as wide as it."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.adapters.formats.headers import column_names
from batchdrop.errors import UploadRejected
from batchdrop.recipe.recipe import Input, Output
from batchdrop.requests.row import Cursor
from tests.formats.reading import Bytes, join, read, reader_of, rows_in

FOUND = Input()


def _cells(body: bytes, options: Input = FOUND, wanted: frozenset[str] = frozenset()) -> list[dict[str, object]]:
    reader = reader_of("f.csv", options=options, wanted=wanted)
    return [row.cells for row in rows_in(reader, Bytes(body), Cursor())]


def _errors(body: bytes, options: Input = FOUND) -> list[str | None]:
    return [row.error for row in read("csv", body, options=options)]


def _notes(body: bytes, options: Input = FOUND) -> list[str]:
    reader = reader_of("f.csv", options=options)
    list(rows_in(reader, Bytes(body), Cursor()))
    return reader.notes


@pytest.mark.parametrize(
    ("body", "columns"),
    [
        (b"nr|comment\n1|good, really\n2|so, so\n", ["nr", "comment"]),
        (b"nr;note;cost, USD\n7;ok;1,5\n8;no;2,5\n", ["nr", "note", "cost, USD"]),
        (b"nr\tnote, more\n1\tx\n", ["nr", "note, more"]),
        (b'nr;"a;b",c\n1;2\n', ["nr", "a;b,c"]),
        (b"note\nHello, world\nSo, so\n", ["note"]),
        (b"a,b\n1;2,3;4\n", ["a", "b"]),
    ],
)
def test_the_delimiter_is_the_one_that_fits_the_rows(body: bytes, columns: list[str]) -> None:
    """Commas within cells, even in each row, do not hide it."""
    reader = reader_of("f.csv")
    list(rows_in(reader, Bytes(body), Cursor()))
    assert reader.columns == columns


def test_the_recipes_columns_decide_between_delimiters() -> None:
    """Both fit, but only one has the column that the prompt uses."""
    body = b"a;b,c;d\n1;2,3;4\n"
    assert list(_cells(body, wanted=frozenset({"b,c"}))[0]) == ["a", "b,c", "d"]
    assert list(_cells(body, wanted=frozenset({"c;d"}))[0]) == ["a;b", "c;d"]


TITLED = b'Complaints of May\nprinted 2026-06-01,\n\nnr,text\n1,late\n2,"a\nb"\n'


@pytest.mark.parametrize("delimiter", ["\x01", "^", "~", ":"])
def test_a_rare_delimiter_is_one_if_it_gives_the_recipes_columns(delimiter: str) -> None:
    """Hive writes U+0001. Without the recipe, `time: 9` is one column. The rows come back as they were."""
    body = f"nr{delimiter}comment\n1{delimiter}late\n".encode()
    assert _cells(body, wanted=frozenset({"comment"})) == [{"nr": "1", "comment": "late"}]
    assert [*_cells(body)[0]] == [f"nr{delimiter}comment"]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [(Input(skip=3), frozenset[str]()), (FOUND, frozenset({"text"})), (FOUND, frozenset({"nr", "text"}))],
)
def test_lines_over_the_header_are_skipped_and_come_back(options: Input, wanted: frozenset[str]) -> None:
    """By number, or because the header is plainly below them."""
    assert _cells(TITLED, options, wanted) == [{"nr": "1", "text": "late"}, {"nr": "2", "text": "a\nb"}]
    output = join("csv", TITLED, options=options, wanted=wanted)
    assert output == TITLED.replace(b"text\n", b"text,answer,_status,_error\n").replace(
        b"late\n", b"late,#1,answered,\n"
    ).replace(b'b"\n', b'b",#2,answered,\n')


def test_lines_over_a_header_are_found_without_the_recipes_help() -> None:
    """Where they are a sentence each, and the table is even; what was found is said."""
    body = b"Sales of the north\nnr,text\n1,late\n2,early\n"
    assert _cells(body)[0] == {"nr": "1", "text": "late"}
    assert _notes(body) == ["the header is in line 2, below 'Sales of the north'"]


@pytest.mark.parametrize(
    ("body", "first"),
    [
        (b"text\nHello, world\nSo, so\n", {"text": "Hello, world"}),
        (b"price\n1,2\n3,4\n", {"price": "1,2"}),
        (b"a b\nc,d\n1,2,3\n", {"a b": "c,d"}),
        (b"Total sum\n1,2\n3,4\n", {"Total sum": "1,2"}),
    ],
)
def test_a_header_that_may_be_one_stays(body: bytes, first: dict[str, str]) -> None:
    """The file has one column, then; a guess would cost the first row its name."""
    assert _cells(body)[0] == first


def test_a_place_in_a_file_below_titles_is_found_again() -> None:
    """A later reader starts at any row, with the same columns and line numbers."""
    reader = reader_of("f.csv", options=Input(skip=3))
    first, second = rows_in(reader, Bytes(TITLED), Cursor())
    assert (first.start.lines, second.start.lines) == (4, 5)
    again = reader_of("f.csv", reader.header, options=Input(skip=3))
    assert list(rows_in(again, Bytes(TITLED), second.start)) == [second]


def test_too_many_lines_to_skip_are_told() -> None:
    """With the key to change."""
    with pytest.raises(UploadRejected, match=r"nothing follows the 9 lines of `input\.skip`; lower it"):
        read("csv", b"a,b\n1,2\n", options=Input(skip=9))


def test_a_file_without_header_comes_back_without_one() -> None:
    """Its columns have numbers; its first line is a row."""
    options = Input(header=False)
    assert _cells(b"7,late\n8,early\n", options)[0] == {"column_1": "7", "column_2": "late"}
    assert join("csv", b"7,late\n8,early\n", options=options) == b"7,late,#1,answered,\n8,early,#2,answered,\n"
    assert join("csv", b"7,late\n", options=options, output=Output(format="jsonl")).startswith(b'{"column_1":"7",')


def test_named_columns_become_the_outputs_header() -> None:
    """Who names them wants to see them."""
    options = Input(header=["nr", "text"])
    assert _cells(b"7,late\n", options) == [{"nr": "7", "text": "late"}]
    assert join("csv", b"7,late\r\n", options=options) == b"nr,text,answer,_status,_error\r\n7,late,#1,answered,\r\n"
    with pytest.raises(UploadRejected, match="names 2 columns, but the first row has 3 cells"):
        read("csv", b"7,late,x\n", options=options)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_lines_may_end_in_carriage_returns_alone(encoding: str) -> None:
    """As old Macintosh programs wrote them; the output's do too, and quoted ones stay."""
    body = 'nr,text\r1,schön\r2,"a\rb"\r'.encode(encoding)
    options = Input(encoding=None if encoding == "utf-16" else encoding)
    assert _cells(body, options) == [{"nr": "1", "text": "schön"}, {"nr": "2", "text": "a\rb"}]
    output = join("csv", body, options=options).decode(encoding)
    assert output == 'nr,text,answer,_status,_error\r1,schön,#1,answered,\r2,"a\rb",#2,answered,\r'
    assert "lines end in carriage returns alone" in _notes(body, options)


def test_empty_cells_behind_the_last_column_are_dropped() -> None:
    """Spreadsheets write them; the answers still stand in their columns."""
    body = b'nr,text\n1,late,\n2,early,,\n3,never," ",""\n'
    assert [cells["text"] for cells in _cells(body)] == ["late", "early", "never"]
    assert [len(row) for row in csv.reader(io.StringIO(join("csv", body).decode()))] == [5, 5, 5, 5]
    assert b"\n1,late,#1,answered," in join("csv", body)


def test_missing_cells_are_empty_only_where_the_recipe_says_so() -> None:
    """The reason names the key. A header that ends in a comma asks for nothing."""
    body = b"nr,text,note\n1,late\n2,early,x\n"
    assert _errors(body)[0] == (
        "it has 2 cells, the header has 3 columns; `input: {ragged: fill}` takes missing cells for empty ones"
    )
    filled = Input(ragged="fill")
    assert _cells(body, filled)[0] == {"nr": "1", "text": "late", "note": ""}
    assert b"\n1,late,,#1,answered," in join("csv", body, options=filled)
    assert _errors(b"nr,text,\n1,late\n") == [None]


def test_a_row_with_more_text_than_columns_is_rejected() -> None:
    """Also where missing cells are filled: nothing of a row is dropped."""
    [error] = _errors(b"nr,text\n1,a,b\n", Input(ragged="fill"))
    assert error == "it has 3 cells, the header has 2 columns; put cells that contain ',' into quotes"


def test_rows_of_delimiters_alone_are_not_sent() -> None:
    """Spreadsheets leave them below a table; they come back."""
    body = b'nr,text\n1,late\n,\n" ",""\n2,early\n'
    assert _errors(body) == [None, "the row is empty", "the row is empty", None]
    assert b'\n,,,rejected,the row is empty\n" ","",,rejected,the row is empty\n' in join("csv", body)


def test_a_space_before_a_quote_is_no_text() -> None:
    """Commas within these quotes divide nothing."""
    body = b'nr, text\n1, late\n2, "a, b"\n3, "x ""y"""\n'
    assert [cells["text"] for cells in _cells(body)] == ["late", "a, b", 'x "y"']
    assert join("csv", body).startswith(b'nr, text,answer,_status,_error\n1, late,#1,answered,\n2, "a, b",#2')


def test_quotes_in_the_middle_of_text_stay_text() -> None:
    """A space before them changes nothing where they open no cell."""
    assert _cells(b'nr,text\n1, "so" he said\n')[0]["text"] == ' "so" he said'


def test_an_escape_is_the_recipes() -> None:
    """Without it, the reason names the key."""
    body = b'nr,text\n1,"he said \\"hi, there\\" twice"\n2,fine\n'
    assert (_errors(body)[0] or "").endswith(r'if backslashes stand before quotes, set `input: {escape: "\\"}`')
    escaped = Input(escape="\\")
    assert _cells(body, escaped)[0]["text"] == 'he said "hi, there" twice'
    assert join("csv", body, options=escaped).splitlines()[1] == body.splitlines()[1] + b",#1,answered,"


@given(st.lists(st.sampled_from(["a", "A", "", " ", "a_2", "column_2"]), max_size=12))
def test_names_are_unique_and_keep_what_the_header_says(cells: list[str]) -> None:
    """The first of equal names keeps it."""
    names, notes = column_names(cells)
    assert len({*names}) == len(names) == len(cells)
    titles = [cell.strip() for cell in cells]
    assert all(
        name == title
        for at, (name, title) in enumerate(zip(names, titles, strict=True))
        if title and title not in titles[:at]
    )
    assert bool(notes) == (names != titles)


def test_empty_cells_between_titles_and_header() -> None:
    """As spreadsheet programs export them."""
    body = b"Sales of the north,,\n,,\nid,text,note\n1,late,a\n2,early,b\n"
    assert _notes(body) == ["the header is in line 3, below 'Sales of the north,,'"]
