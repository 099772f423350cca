"""JSON as people send it: found by its content, whatever the name says."""

from __future__ import annotations

import json

import pytest

from batchdrop.errors import UploadRejected
from batchdrop.recipe.recipe import Input
from batchdrop.requests.row import Cursor
from tests.formats.reading import Bytes, cut_everywhere, join, read, reader_of, rows_in

LINES = b'{"nr":1,"text":"late"}\n{"nr":2,"text":"early"}\n'
WRAPPED = b'{\n "page": {"of": [1, 2]},\n "items": [\n  {"nr": 1},\n  {"nr": 2}\n ],\n "next": null\n}\n'
SPREAD = b'{\n  "nr": 1,\n  "tags": [{"t": "a"}]\n}\n{\n  "nr": 2,\n  "tags": []\n}\n'


def _numbers(name: str, body: bytes, options: Input | None = None) -> list[object]:
    return [row.cells["nr"] for row in rows_in(reader_of(name, options=options), Bytes(body), Cursor())]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("part-0000.json", LINES),
        ("f.json", b"\xef\xbb\xbf" + LINES),
        ("f.json", LINES.replace(b"\n", b"\r\n")),
        ("f.jsonl", b'[{"nr":1},\n {"nr":2}]'),
        ("f.jsonl", b'[\n{"nr":1},\n{"nr":2}\n]\n'),
        ("f.jsonl", SPREAD),
        ("f.json", SPREAD),
        ("f.json", WRAPPED),
        ("f.json", b'{"nr":1}{"nr":2}'),
    ],
)
def test_rows_are_found_by_content(name: str, body: bytes) -> None:
    """One object a line, an array, an object with one array of objects, or objects one after another."""
    assert _numbers(name, body) == [1, 2]


@pytest.mark.parametrize("body", [LINES, WRAPPED, SPREAD, b'[{"nr":1},{"nr":2}]'])
def test_it_is_found_however_the_bytes_come(body: bytes) -> None:
    """The same rows, and the rest of them from each row's place on."""
    reader = reader_of("f.json")
    rows = list(rows_in(reader, Bytes(body), Cursor()))
    assert read("json", body, pieces=[*cut_everywhere(body, 7), b""]) == rows
    again = reader_of("f.json", reader.header)
    assert list(rows_in(again, Bytes(body), rows[1].start)) == rows[1:]


def test_a_wrapped_array_comes_back_in_its_object() -> None:
    """What stands around the rows stays as it was."""
    output = join("json", WRAPPED)
    assert output.startswith(WRAPPED[: WRAPPED.index(b"[\n  {") + 1])
    assert output.endswith(WRAPPED[WRAPPED.rindex(b"]") :])
    assert [item["answer"] for item in json.loads(output)["items"]] == ["#1", "#2"]


def test_objects_one_after_another_come_back_so() -> None:
    """Not in an array that was not there."""
    assert join("json", b'{"nr":1}{"nr":2}').splitlines() == [
        b'{"nr":1,"answer":"#1","_status":"answered","_error":null}',
        b'{"nr":2,"answer":"#2","_status":"answered","_error":null}',
    ]


def test_lines_in_a_json_file_come_back_as_lines() -> None:
    """Their format is what they are, not what their name says."""
    assert [json.loads(line)["answer"] for line in join("json", LINES).splitlines()] == ["#1", "#2"]


TWO = b'{"users":[{"nr":1}],"data":{"items":[{"nr":2},{"nr":3}]}}'


def test_the_recipe_says_which_of_several_arrays_is_meant() -> None:
    """Without it, they are named, with the key."""
    with pytest.raises(UploadRejected, match=r"2 arrays of objects \(users, data\.items\).*`input: \{path: users\}`"):
        read("json", TWO)
    assert _numbers("f.json", TWO, Input(path="data.items")) == [2, 3]
    assert json.loads(join("json", TWO, options=Input(path="data.items")))["users"] == [{"nr": 1}]
    with pytest.raises(UploadRejected, match=r"no array at 'data\.rows'"):
        read("json", TWO, options=Input(path="data.rows"))


def test_a_second_array_behind_the_rows_is_told_before_anything_is_sent() -> None:
    """Also where it comes after what was looked at first."""
    body = b'{"a":[' + b",".join([b'{"nr":1,"text":"' + b"x" * 1000 + b'"}'] * 400) + b'],"b":[{"nr":2}]}'
    with pytest.raises(UploadRejected, match=r"2 arrays of objects \(a, b\)"):
        read("json", body)


@pytest.mark.parametrize("body", [b'{"a":[{"nr":1}]', b'{"a":[{"nr":1}]}x', b'{"a":[{"nr":1}', b'{"a":[{"nr":1}]]'])
def test_a_broken_frame_is_refused(body: bytes) -> None:
    """The rows within it may not be all."""
    with pytest.raises(UploadRejected):
        read("json", body, options=Input(path="a"))


@pytest.mark.parametrize("extension", ["json", "jsonl"])
def test_what_programs_write_that_is_no_json(extension: str) -> None:
    """NaN and infinities are null, halves of surrogate pairs U+FFFD; texts that only look like them stay."""
    rows = read(
        extension, rb'{"nr":1}' + b"\n" + rb'{"a":NaN,"b":[-Infinity,"NaN"],"c":"x \ud83d y \ud83d\ude00"}' + b"\n"
    )
    assert rows[1].cells == {"a": None, "b": [None, "NaN"], "c": "x \ufffd y \U0001f600"}
    assert json.loads(join(extension, rows[1].raw.encode() + b"\n" + rows[1].raw.encode()).splitlines()[0])["a"] is None


def test_a_table_in_a_txt_file_is_one() -> None:
    """Excel saves its "Unicode Text" so. Uneven lines stay lines, and so do those of a recipe that uses only `text`."""
    body = "nr\ttext\r\n1\tschön\r\n2\tx\r\n".encode("utf-16")
    assert _numbers("f.txt", body) == ["1", "2"]
    assert join("txt", body).decode("utf-16").splitlines()[1] == "1\tschön\t#1\tanswered\t"
    lines = reader_of("f.txt", wanted={"text"}, options=Input(encoding="utf-16"))
    assert len(list(rows_in(lines, Bytes("a\tb\nc\td\n".encode("utf-16")), Cursor()))) == 2
    assert [row.cells for row in read("txt", b"a\tb\nc\n")] == [{"text": "a\tb"}, {"text": "c"}]


def test_a_key_that_is_not_utf8_is_refused_with_its_place() -> None:
    """Such a file has another encoding."""
    with pytest.raises(UploadRejected, match=r"^f\.json"):
        read("json", b'{"d\xffta": {"items": [{"a": 1}]}}')


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"nr":{"0":1,"1":2},"text":{"0":"late","1":"early"}}', "with the values of each column"),
        (b'{"0":{"nr":1,"text":"late"},"1":{"nr":2,"text":"early"}}', "with the rows by their numbers"),
        (b'{"columns":["nr","text"],"index":[0,1],"data":[[1,"late"],[2,"early"]]}', "with names and values apart"),
        (b'[["nr","text"],[1,"late"],[2,"early"]]', "its elements are arrays"),
    ],
)
def test_a_table_that_is_not_written_row_by_row_is_refused(body: bytes, told: str) -> None:
    """What pandas writes unless it is told otherwise. Once, the whole table was one row, and was sent and paid."""
    with pytest.raises(UploadRejected, match=rf"^f\.json: .*{told}.*orient='records'"):
        read("json", body)
