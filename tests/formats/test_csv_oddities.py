"""CSV as it is found in the wild: what is read, what is rejected by row, what is refused as a whole."""

from __future__ import annotations

import csv
import io
import json

import pytest

from batchdrop.adapters.formats.limits import MAX_CELL_CHARS, MAX_LINE_BYTES
from batchdrop.errors import UploadRejected
from batchdrop.requests.row import Cursor
from tests.formats.reading import Bytes, failed_lines, join, parsed, read, reader_of, rows_in


def _refusal(body: bytes) -> str:
    with pytest.raises(UploadRejected) as caught:
        read("csv", body)
    return str(caught.value)


def test_leading_zeros_and_na_stay() -> None:
    """All cells are text: nothing is taken for a number, a date or a missing value."""
    [row] = read("csv", b"a,b,c,d\n007,NA,1e5,TRUE\n")
    assert row.cells == {"a": "007", "b": "NA", "c": "1e5", "d": "TRUE"}


@pytest.mark.parametrize("body", [b"a,b\n1,2\n\n3,4\n", b"\r\na,b\r\n\r\n1,2\r\n3,4\r\n\r\n", b"\n\na,b\n1,2\n3,4"])
def test_empty_lines_are_no_rows(body: bytes) -> None:
    """Rows are counted without them, lines with them."""
    rows = read("csv", body)
    assert [(row.cells["a"], row.number) for row in rows] == [("1", 1), ("3", 2)]
    assert rows[1].start.lines == body[: rows[1].start.offset].count(b"\n")


@pytest.mark.parametrize("text", ["1,2\r", "1,2\r\r", '"1","2"\r'])
@pytest.mark.parametrize("end", ["\n", ""])
def test_doubled_carriage_returns_are_a_line_end(text: str, end: str) -> None:
    """Exports that write two carriage returns do not tear the output's rows."""
    output = join("csv", f"a,b\r\r\n{text}{end}".encode())
    assert parsed(output) == [["a", "b", "answer", "_status", "_error"], ["1", "2", "#1", "answered", ""]]


def test_a_lone_carriage_return_rejects_its_row_only() -> None:
    """The row is rejected with a reason, the others go on, and the output is still a table."""
    body = b"a,b\n1,x\ry\n3,4\n"
    rows = read("csv", body)
    assert "carriage return" in (rows[0].error or "")
    assert rows[1].cells == {"a": "3", "b": "4"}
    assert [len(row) for row in parsed(join("csv", body))] == [5, 5, 5]


@pytest.mark.parametrize(
    "body",
    [
        b'a,b\n1,"x',
        b'a,b\n1,"x\n',
        b'a,b\n1,"x\r\n',
        b'a,b\n1,"x\n2,3\n4,5\n',
        b'a,b\n"1"2,"x\n',
        b'a,b\n"1"2,"x',
        b'a,b\n1,"x""\n2,3',
    ],
)
def test_an_unclosed_quote_is_refused(body: bytes) -> None:
    """A quote that eats the rest of the file is an error that names its row and line, wherever the file ends."""
    text = _refusal(body)
    assert text.startswith("f.csv row 1 (line 2): a quoted cell starts in this row and never ends")


@pytest.mark.parametrize("body", [b'a,b\n1,"x"', b'a,b\n1,"x"\n', b'a,b\n1,x"\n', b'a,b\n1,"x""y"\n', b'a,b\n1,"x"y\n'])
def test_odd_but_closed_quotes_are_read(body: bytes) -> None:
    """Quotes in the middle of a cell are text, and the output parses to the same cells."""
    [row] = read("csv", body)
    assert _lenient(join("csv", body))[1:] == [[*row.cells.values(), "#1", "answered", ""]]


def _lenient(output: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(output.decode(), newline="")))


def test_an_endless_cell_is_an_unclosed_quote() -> None:
    """A cell longer than any cell is refused before it fills the memory."""
    body = b'a,b\n1,"' + b"x" * (MAX_CELL_CHARS + 10) + b"\n"
    assert "never ends" in _refusal(body)


def test_an_endless_line_is_refused() -> None:
    """A file without line ends is not read to its end."""
    pieces = (b"x" * (MAX_LINE_BYTES // 2 + 1) for _ in range(3))
    with pytest.raises(UploadRejected, match="one record per line"):
        list(rows_in(reader_of("f.csv"), Bytes(b"", pieces=pieces), Cursor()))


@pytest.mark.parametrize(
    ("body", "place", "byte"),
    [
        (b"a,b\n1,2\n3,\xff\n", "row 2 (line 3)", "byte 10 (0xff)"),
        (b'a,b\n"x\ny",1\n\n3,\xe9t\xe9\n', "row 2 (line 5)", "byte 15 (0xe9)"),
        (b"a,b\n1,\xe2\x82\n", "row 1 (line 2)", "byte 6 (0xe2)"),
    ],
)
def test_not_utf8_names_row_and_byte(body: bytes, place: str, byte: str) -> None:
    """A user finds the bad byte by row, line and offset."""
    text = _refusal(body)
    assert text.startswith(f"f.csv {place}: {byte} is not UTF-8")
    assert "save the file as UTF-8" in text or "fix this row" in text


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_unicode_text_of_spreadsheets_is_read(codec: str) -> None:
    """Excel's "Unicode text" says what it is in its first bytes; the output has the same mark, once."""
    body = "\ufeffa\tb\r\n1\té\r\n".encode(codec)
    assert read("tsv", body)[0].cells == {"a": "1", "b": "é"}
    expected = "\ufeffa\tb\tanswer\t_status\t_error\r\n1\té\t#1\tanswered\t\r\n"
    assert join("tsv", body).decode(codec) == expected


def test_a_bom_is_not_part_of_the_first_column() -> None:
    """Excel's mark is not in the column's name, and stays at the head of the output."""
    body = '\ufeff"a",b\n1,2\n'.encode()
    assert read("csv", body)[0].cells == {"a": "1", "b": "2"}
    assert join("csv", body).startswith(b'\xef\xbb\xbf"a",b,answer')


@pytest.mark.parametrize("body", [b"", b"\n\n", b"\xef\xbb\xbf", b"\r\n"])
def test_a_file_without_header_is_refused(body: bytes) -> None:
    """Nothing, or empty lines only, is an empty file."""
    assert "the file is empty" in _refusal(body)


def test_a_header_alone_has_no_rows() -> None:
    """An empty file is not an error here; the use case reports it."""
    assert read("csv", b"a,b\n") == []


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (b"a,b,a\n", ["a", "b", "a_2"]),
        (b"a, a,a_2\n", ["a", "a_3", "a_2"]),
        (b"column_2,,c\n", ["column_2", "column_2_2", "c"]),
        (b"a,a,a\n", ["a", "a_2", "a_3"]),
    ],
)
def test_each_column_gets_a_name_of_its_own(header: bytes, names: list[str]) -> None:
    """A name that repeats gets a number; the header's bytes stay as they are."""
    assert list(read("csv", header + b"1,2,3\n")[0].cells) == names
    assert join("csv", header + b"1,2,3\n").startswith(header.rstrip() + b",answer")


def test_an_open_quote_in_the_header_is_refused() -> None:
    """It would eat the file."""
    assert "never ends" in _refusal(b'"a\nb\n1,2,3\n')


def test_columns_without_a_name_get_one() -> None:
    """They can be asked about as `column_2`."""
    assert read("csv", b"a,,c \n1,2,3\n")[0].cells == {"a": "1", "column_2": "2", "c": "3"}


@pytest.mark.parametrize(
    ("line", "told"), [("1", "1 cell, the"), ("1,2,3", "3 cells, the"), ("1,2,,4", "4 cells, the")]
)
def test_ragged_rows_are_rejected_with_their_counts(line: str, told: str) -> None:
    """The reason says how many cells there are and should be; failed.jsonl keeps the row's whole text."""
    body = f"a,b\n{line}\n".encode()
    assert (read("csv", body)[0].error or "").startswith(f"it has {told} header has 2 columns; ")
    assert json.loads(failed_lines("csv", body))["_raw"] == line


def test_nul_is_a_character() -> None:
    """A NUL in a cell neither ends nor breaks it."""
    body = b"a,b\n1,x\x00y\n"
    assert read("csv", body)[0].cells["b"] == "x\x00y"
    assert parsed(join("csv", body))[1][1] == "x\x00y"


def test_line_separators_of_unicode_end_no_line() -> None:
    """U+2028, U+0085, form feed and their like are text."""
    text = "x\u2028y\u0085z\x0cw\x1ev"
    [row] = read("csv", f"a,b\n1,{text}\n".encode())
    assert row.cells["b"] == text


def test_the_output_keeps_the_files_line_ends() -> None:
    """A file with CRLF gets an output with CRLF."""
    assert join("csv", b"a,b\r\n1,2\r\n").count(b"\r\n") == 2
    assert b"\r" not in join("csv", b"a,b\n1,2\n")
