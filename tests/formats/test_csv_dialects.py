"""Delimited files that are not RFC 4180's: tabs, semicolons, Excel's first line, other encodings."""

from __future__ import annotations

import csv
import io

import pytest

from batchdrop.answers.outcome import rejected
from batchdrop.errors import RecipeRejected, UploadRejected
from batchdrop.recipe.recipe import Input, Output
from batchdrop.requests.row import Cursor
from tests.formats.reading import Bytes, answered, join, read, reader_of, rows_in


def _cells(body: bytes, options: Input | None = None, name: str = "f.csv") -> list[dict[str, object]]:
    return [row.cells for row in rows_in(reader_of(name, options=options), Bytes(body), Cursor())]


def test_what_excel_says_first_is_understood_and_kept() -> None:
    """`sep=;` names the delimiter, is not a row, and comes first in the output, too."""
    body = b'sep=;\r\na;b\r\n1;"x;y"\r\n'
    [row] = read("csv", body)
    assert (row.cells, row.place) == ({"a": "1", "b": "x;y"}, "row 1 (line 3)")
    assert join("csv", body) == b'sep=;\r\na;b;answer;_status;_error\r\n1;"x;y";#1;answered;\r\n'


@pytest.mark.parametrize("first", [b"SEP=|\n", b'"sep=|"\r\n', b"\xef\xbb\xbfsep=|\n"])
def test_it_is_understood_as_it_is_written(first: bytes) -> None:
    """Small or large, in quotes, behind a byte order mark; it wins over the recipe, for the file knows."""
    assert _cells(first + b"a|b\n1|2\n", Input(delimiter=";")) == [{"a": "1", "b": "2"}]


def test_a_column_may_be_named_like_it() -> None:
    """Only a line of its own with one character is meant."""
    assert _cells(b"sep=;,b\n1,2\n") == [{"sep=;": "1", "b": "2"}]
    assert _cells(b"sep=ab\n1\n") == [{"sep=ab": "1"}]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_where_the_comma_is_a_decimal_point(delimiter: str) -> None:
    """A header without commas but with semicolons or tabs is taken apart by these; the output has the same."""
    body = delimiter.join(["id", "price"]) + "\n" + delimiter.join(["1", "2,50"]) + "\n"
    assert read("csv", body.encode())[0].cells == {"id": "1", "price": "2,50"}
    assert join("csv", body.encode()).decode().splitlines()[1] == delimiter.join(["1", "2,50", "#1", "answered", ""])


def test_commas_in_the_header_are_the_delimiter() -> None:
    """A semicolon beside them, or within quotes, is text; so is each of two others that could be meant."""
    assert _cells(b"a;b,c\n1,2\n") == [{"a;b": "1", "c": "2"}]
    assert _cells(b'"a;b"\n1\n') == [{"a;b": "1"}]
    assert _cells(b"a;b\tc\n1\n") == [{"a;b\tc": "1"}]
    assert _cells(b"a;b\n1\n", Input(delimiter=",")) == [{"a;b": "1"}]


@pytest.mark.parametrize(("delimiter", "written"), [("|", "|"), (r"\t", "\t"), ("\x01", "\x01")])
def test_the_recipe_names_any_delimiter(delimiter: str, written: str) -> None:
    r"""One character, or `\t` as YAML without quotes has it."""
    body = f"a{written}b\n1,5{written}2\n".encode()
    assert _cells(body, Input(delimiter=delimiter)) == [{"a": "1,5", "b": "2"}]


@pytest.mark.parametrize("delimiter", ["||", '"', "\n", "\r", "tab"])
def test_what_cannot_separate_is_refused(delimiter: str) -> None:
    """The recipe's key is named."""
    with pytest.raises(RecipeRejected, match=r"key 'input\.delimiter': it must be one character"):
        reader_of("f.csv", options=Input(delimiter=delimiter))


@pytest.mark.parametrize("name", ["f.tsv", "f.tab", "f.TSV"])
def test_tsv_has_tabs(name: str) -> None:
    """Commas are text in it; quotes are as in CSV."""
    assert _cells(b'a\tb\n1,5\t"x\ty"\n', name=name) == [{"a": "1,5", "b": "x\ty"}]


def test_the_output_may_be_of_another_kind() -> None:
    """`output.format` and `output.encoding` write the cells anew."""
    body = "a\tb\n1,5\tœé\n".encode()
    assert join("tsv", body, output=Output(format="csv")).decode().splitlines()[1] == '"1,5",œé,#1,answered,'
    latin = join("tsv", body, output=Output(encoding="latin-1")).decode("latin-1")
    assert latin.splitlines()[1] == "1,5\t\\u0153é\t#1\tanswered\t"
    marked = join("csv", b"a\n1\n", output=Output(encoding="utf-8-sig"))
    assert marked.startswith(b"\xef\xbb\xbfa,answer")
    assert b'"answer":"#1"' in join("csv", b"a\n1\n", output=Output(format="json"))


def test_text_lines_become_a_table() -> None:
    """A .txt file's output is CSV, with the line as its first column."""
    assert (
        join("txt", b"one\n\n two, three\n")
        == b'text,answer,_status,_error\none,#1,answered,\n" two, three",#2,answered,\n'
    )


@pytest.mark.parametrize("tail", ["\x1a", "\x00\x00"])
def test_what_old_programs_leave_at_the_end_is_a_reported_row(tail: str) -> None:
    """An end-of-file mark of DOS, or zeros of a crash, do not pass for a row of the table."""
    rows = read("csv", b"a,b\n1,2\n" + tail.encode())
    assert [row.error for row in rows] == [
        None,
        "it has 1 cell, the header has 2 columns; `input: {ragged: fill}` takes missing cells for empty ones",
    ]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("\x00=1", "'\x00=1"),
        ("\uff1d1", "'\uff1d1"),
        ("- a list", "'- a list"),
        ("-", "'-"),
        ("-12.5", "-12.5"),
        ("+1,234.50", "+1,234.50"),
        ("-.5", "-.5"),
        ("-3e-7", "-3e-7"),
        ("-10%", "-10%"),
        ("-inf", "'-inf"),
        ("-1_000", "'-1_000"),
        ("-\u0661", "'-\u0661"),
        ("a=1", "a=1"),
        (" =1", " =1"),
        ("", ""),
    ],
)
def test_answers_are_no_formulas(text: str, written: str) -> None:
    """What a spreadsheet would run gets an apostrophe; plain numbers and everything else stay; it can be turned off."""
    for escapes, expected in ((True, written), (False, text)):
        output = join("csv", b"a\n=mine\n", lambda _row: answered(text), Output(escape_formulas=escapes))
        [_, row] = csv.reader(io.StringIO(output.decode(), newline=""))
        assert row[:2] == ["=mine", expected]


def test_reasons_are_no_formulas_either() -> None:
    """An error may quote the file."""
    output = join("csv", b"a,b\n1\n", lambda _row: rejected("=1+1"))
    assert b"'=1+1" in output


def test_an_encoding_that_is_not_there_is_the_recipes_fault() -> None:
    """It is told before the file is read."""
    with pytest.raises(RecipeRejected, match="did you mean 'cp932'"):
        reader_of("f.csv", options=Input(encoding="cp923"))


def test_the_encoding_of_the_header_is_reported() -> None:
    """A file whose first line is not UTF-8 says so for the header."""
    with pytest.raises(UploadRejected, match=r"^f\.csv header \(line 1\): byte 3 .*looks like cp932"):
        read("csv", "id,商品の名前と説明\n1,とても良い\n".encode("cp932"))
