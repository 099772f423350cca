"""JSONL: any object comes back with its own text and three more fields."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.outcome import failed, rejected
from batchdrop.errors import UploadRejected
from batchdrop.requests.row import Row
from tests.formats.reading import answered, cut_everywhere, failed_lines, join, read, read_from
from tests.strategies import cells

OURS = ["answer", "_status", "_error", "_raw"]
names = cells(lone_cr=True).filter(lambda name: name not in OURS)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | cells(lone_cr=True),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(names, values, max_size=5)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Return objects as a file: escaped or not, spaced or not, blank lines between them, either line end."""
    lines = []
    for fields in draw(st.lists(objects, max_size=5)):
        text = json.dumps(fields, ensure_ascii=draw(st.booleans()), indent=None)
        lines.append(draw(st.sampled_from(["", " ", "\t"])) + text + draw(st.sampled_from(["", " "])))
        lines += [""] * draw(st.integers(0, 1))
    body = draw(st.sampled_from(["\n", "\r\n"])).join(lines) + draw(st.sampled_from(["", "\n"]))
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + body.encode()


def _objects(lines: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.split(b"\n") if line]


@given(st.lists(objects, max_size=5))
def test_rows_are_the_objects(written: list[dict[str, Any]]) -> None:
    """Every object is a row with the same fields, numbered from 1."""
    rows = read("jsonl", b"".join(json.dumps(fields).encode() + b"\n" for fields in written))
    assert [row.cells for row in rows] == written
    assert [row.number for row in rows] == list(range(1, len(written) + 1))


@given(files(), cells(lone_cr=True))
def test_the_output_is_the_objects_and_three_fields(body: bytes, text: str) -> None:
    """Each line has its own fields, then answer, status and error, in the input's order."""
    rows = read("jsonl", body)
    added = {"answer": text, "_status": "answered", "_error": None}
    assert _objects(join("jsonl", body, lambda _row: answered(text))) == [{**row.cells, **added} for row in rows]


@given(files())
def test_a_rows_own_text_is_never_written_anew(body: bytes) -> None:
    """Up to its closing brace, each output line is byte for byte the input's."""
    for row, line in zip(read("jsonl", body), join("jsonl", body).splitlines(), strict=False):
        if row.cells:
            assert line.startswith(row.raw[:-1].encode().split(b"\n")[0])


@given(files(), st.integers())
def test_blocks_may_end_anywhere(body: bytes, seed: int) -> None:
    """Rows are the same however the bytes are cut."""
    assert read("jsonl", body, pieces=[*cut_everywhere(body, seed), b""]) == read("jsonl", body)


@given(files())
def test_reading_goes_on_at_every_row(body: bytes) -> None:
    """From each row's cursor the rest is the same to the last field."""
    rows = read("jsonl", body)
    for number, row in enumerate(rows):
        assert read_from("f.jsonl", "", body, row.start) == rows[number:]


@given(files(), st.sampled_from([failed("why"), rejected("why")]))
def test_failed_rows_can_be_dropped_in_again(body: bytes, outcome: Any) -> None:
    """failed.jsonl read again has the same rows, and nothing of ours in their cells."""
    again = read("jsonl", failed_lines("jsonl", body, lambda _row: outcome))
    assert [row.cells for row in again] == [row.cells for row in read("jsonl", body)]
    assert all(row.error is None for row in again)


NUMBERS = '"a":123456789012345678901234567890,"b":1.10,"c":0.1234567890123456789012345,"d":1E5,"e":-0.0,"f":1e2'


@pytest.mark.parametrize("tail", ["", ',"_status":"failed","_error":"x"'])
def test_numbers_stay_bit_for_bit(tail: str) -> None:
    """Big integers, trailing zeros and exponents stand in the output as in the input, also when a field was ours."""
    body = f"{{{NUMBERS}{tail}}}\n".encode()
    for lines in (join("jsonl", body), failed_lines("jsonl", body)):
        assert lines.startswith(f"{{{NUMBERS},".encode())


def test_big_integers_stand_in_prompts_whole() -> None:
    """An id of thirty digits is not rounded."""
    [row] = read("jsonl", b'{"id":123456789012345678901234567890}\n')
    assert str(row.cells["id"]) == "123456789012345678901234567890"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"a":', "the line is not JSON: "),
        ("{'a': 1}", "the line is not JSON: "),
        ("a,b", "the line is not JSON: "),
        ('{"a":1}}', "the line is not JSON: "),
        ('{"a":[1,"9e999",-1e999]}', "a number of the line is larger than any 64-bit float (-1e999); write it as text"),
        ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "the line is not JSON: "),
        ("[1]", "the line is not a JSON object"),
        ("5", "the line is not a JSON object"),
        ("null", "the line is not a JSON object"),
        ('"text"', "the line is not a JSON object"),
    ],
)
def test_a_broken_line_is_one_rejected_row(line: str, told: str) -> None:
    """The reason says what the line is not; the rows around it go on; its text is kept."""
    body = f'{{"x":1}}\n{line}\n{{"x":3}}\n'.encode()
    rows = read("jsonl", body)
    assert [row.number for row in rows if not row.error] == [1, 3]
    assert (rows[1].error or "").startswith(told)
    assert rows[1].place == "row 2 (line 2)"
    output = join("jsonl", body).splitlines()
    assert len(output) == 3
    assert b'"_status":"rejected"' in output[1]
    assert output[1].startswith(line[:-1].encode()) or json.loads(output[1])["_raw"] == line


def test_a_broken_line_keeps_its_text_however_often_it_fails() -> None:
    """failed.jsonl of a failed.jsonl still holds the line that could not be read."""
    lines = b"not json\n"
    for _ in range(3):
        lines = failed_lines("jsonl", lines, lambda _row: rejected("why"))
    assert _objects(lines) == [{"_raw": "not json", "_row": 1, "_status": "rejected", "_error": "why"}]


def test_our_fields_are_no_cells() -> None:
    """What a failed.jsonl says about a row is not taken for the row."""
    [row] = read("jsonl", b'{"x":1,"_status":"failed","_error":"e","_raw":"r"}\n')
    assert row.cells == {"x": 1}


def test_our_fields_are_replaced_not_doubled() -> None:
    """A row dropped in again has the new status only."""
    [line] = join("jsonl", b'{"x":1,"_status":"failed","_error":"e"}\n').splitlines()
    assert line == b'{"x":1,"answer":"#1","_status":"answered","_error":null}'


def test_a_field_where_the_output_goes_is_rejected() -> None:
    """`answer` would be overwritten, so the row is told to rename it, and failed.jsonl keeps it."""
    body = b'{"x":1,"answer":"mine"}\n'
    [row] = read("jsonl", body)
    assert "'answer'" in (row.error or "")
    assert "rename" in (row.error or "")
    assert _objects(failed_lines("jsonl", body))[0]["answer"] == "mine"
    assert [json.loads(line)["answer"] for line in join("jsonl", body).splitlines()] == [None]


@pytest.mark.parametrize("empty", ["{}", "{ }"])
def test_an_empty_object_is_a_row(empty: str) -> None:
    """It has no cells, and an output."""
    assert read("jsonl", empty.encode())[0].cells == {}
    assert join("jsonl", empty.encode()) == b'{"answer":"#1","_status":"answered","_error":null}\n'


@pytest.mark.parametrize("body", [b"", b"\n\n", b"\xef\xbb\xbf\n", b"  \n\t\r\n"])
def test_blank_lines_are_no_rows(body: bytes) -> None:
    """A file of blank lines has no rows."""
    assert read("jsonl", body) == []


def test_lines_are_counted_with_the_blank_ones() -> None:
    """A row's place is what an editor shows."""
    rows = read("jsonl", b'\n{"a":1}\n\n\n{"a":2}\n')
    assert [row.place for row in rows] == ["row 1 (line 2)", "row 2 (line 5)"]


def test_not_utf8_names_row_and_byte() -> None:
    """A user finds the bad byte by row, line and offset."""
    with pytest.raises(UploadRejected, match=r"^f\.jsonl row 2 \(line 3\): byte 14 \(0xe9\) is not UTF-8"):
        read("jsonl", b'{"a":1}\n\n{"a":\xe9}\n')


def test_utf16_is_read() -> None:
    """A UTF-16 file is read by its mark, and its output has the same, once."""
    body = '\ufeff{"a":"é"}\n\n{"a":2}\n'
    assert [row.cells for row in read("jsonl", body.encode("utf-16-be"))] == [{"a": "é"}, {"a": 2}]
    output = join("jsonl", body.encode("utf-16-be")).decode("utf-16-be")
    assert output.startswith('\ufeff{"a":"é","answer":"#1",')
    assert output.count("\ufeff") == 1


def test_line_separators_of_unicode_end_no_line() -> None:
    """U+2028 inside a string is text."""
    rows: list[Row] = read("jsonl", '{"a":"x\u2028y"}\n'.encode())
    assert [row.cells for row in rows] == [{"a": "x\u2028y"}]
