"""JSON: one array of objects, read element by element; errors name row and byte."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.adapters.formats.json.json_elements import Elements
from batchdrop.adapters.formats.json.json_shape import JsonShape
from batchdrop.adapters.formats.limits import MAX_LINE_BYTES
from batchdrop.errors import UploadRejected
from batchdrop.recipe.recipe import Output
from batchdrop.requests.row import Cursor
from tests.formats.reading import cut_everywhere, failed_lines, join, read

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(values, max_size=6), st.sampled_from([None, 0, 2]), st.booleans(), st.integers())
def test_elements_are_found_whatever_they_are(
    array: list[object],
    indent: int | None,
    escaped: bool,  # noqa: FBT001 - drawn
    seed: int,
) -> None:
    """Every element's own text comes out, however deep and however the bytes are cut, and from its place on again."""
    body = json.dumps(array, indent=indent, ensure_ascii=escaped).encode()
    found = list(Elements(cut_everywhere(body, seed), Cursor(), JsonShape(), filename="f.json"))
    assert [json.loads(element.text) for element in found] == array
    for number, (text, start) in enumerate(found):
        assert (start.rows, start.lines) == (number, body[: start.offset].count(b"\n"))
        assert body[start.offset :].startswith(text)
        assert list(Elements(iter([body[start.offset :]]), start, JsonShape(), filename="f.json")) == found[number:]


def _refusal(body: bytes) -> str:
    with pytest.raises(UploadRejected) as caught:
        read("json", body)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "f.json: the file is empty"),
        (b" \n\t", "f.json: the file is empty"),
        (b"3", "the file starts with '3', but JSON rows are objects: an array"),
        (b'"text"', "the file starts with '\"text\"', but JSON rows are objects"),
        (b"[", "row 1 (line 1): byte 1: the file ends where an element is expected"),
        (b'[{"a":1}', "row 2 (line 1): byte 8: the file ends before the array ends"),
        (b'[{"a":1},', "row 2 (line 1): byte 9: the file ends where an element is expected"),
        (b'[{"a":1},\n{"a":', "row 2 (line 2): byte 10: the file ends in the middle of this element"),
        (b'[{"a":"x', "row 1 (line 1): byte 1: the file ends in the middle of this element"),
        (b'[{"a":1} {"a":2}]', "byte 9: expected a comma or the array's end, found '{\"a\":2}]'"),
        (b'[{"a":1},]', "row 2 (line 1): byte 9: ']' is not the start of an element"),
        (b'[,{"a":1}]', "byte 1: ',' is not the start of an element"),
        (b'[{"a":1]]', "row 1 (line 1): byte 7: ']' closes a bracket that is not open"),
        (b'[{"a":[1}]', "byte 8: '}' closes a bracket that is not open"),
        (b'[{"a":1}]]', "byte 9: found ']' after the array's end"),
        (b'[{"a":1}]\n[{"a":2}]\n', 'found \'[{"a":2}]'),
        (b'[{"a":1}},{"a":2}]', "byte 8: expected a comma or the array's end, found '},{\"a\":2}]'"),
        (b'[{"a":1},{"a":"\xff"}]', "f.json after row 0: byte 15 (0xff) is not UTF-8"),
    ],
)
def test_what_is_not_an_array_is_reported(body: bytes, told: str) -> None:
    """A file that is truncated, broken between its elements or something else says where, and what to do."""
    assert told in _refusal(body)


@pytest.mark.parametrize(
    ("element", "told"),
    [
        (b"3", "the element is not a JSON object"),
        (b"null", "the element is not a JSON object"),
        (b'"a,]"', "the element is not a JSON object"),
        (b"[1,{}]", "the element is not a JSON object"),
        (b"what", "the element is not JSON: "),
        (b"{'a':1}", "the element is not JSON: "),
        (b'{"a" 1}', "the element is not JSON: "),
        (b'{"a":"\x01"}', "the element is not JSON: "),
        (b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "the element is not JSON: "),
        (b'{"answer":1}', "it has a field 'answer'"),
    ],
)
def test_a_broken_element_is_one_rejected_row(element: bytes, told: str) -> None:
    """Where it ends is clear, so only its row is rejected; the output stays one array."""
    body = b'[{"x":1},' + element + b',\n{"x":3}]'
    rows = read("json", body)
    assert [row.number for row in rows if row.error is None] == [1, 3]
    assert (rows[1].error or "").startswith(told)
    assert rows[2].place == "row 3 (line 2)"
    output = json.loads(join("json", body))
    assert [row["_status"] for row in output] == ["answered", "rejected", "answered"]


def test_an_empty_array_is_an_output_too() -> None:
    """No rows in, an array without elements out."""
    assert read("json", b" [ ] ") == []
    assert json.loads(join("json", b"[]")) == []


def test_elements_on_several_lines_stay_lines_of_jsonl() -> None:
    """failed.jsonl and a JSONL output have a row a line, with the element's values to the byte."""
    body = b'[\r\n  {\r\n    "a": 1.10,\n    "b": "x\\ny"\n  }\n]'
    [line] = failed_lines("json", body).splitlines()
    assert line.startswith(b'{      "a": 1.10,     "b": "x\\ny"   ,"_row":1,"_status":')
    assert len(join("json", body, output=Output(format="jsonl")).splitlines()) == 1
    assert b'{\r\n    "a": 1.10,' in join("json", body)


def test_an_endless_element_is_refused() -> None:
    """A file that is not an array of rows is not read into memory to its end."""
    blocks = (b'[{"a":"' + b"x" * (1 << 20) for _ in range(3 * MAX_LINE_BYTES >> 20))
    with pytest.raises(UploadRejected, match=r"row 1 .*this element is longer than 64,000,000 bytes"):
        list(Elements(blocks, Cursor(), JsonShape(), filename="f.json"))


def test_long_elements_take_linear_time() -> None:
    """An element over hundreds of blocks is not looked through again for each of them."""
    body = b'[{"a":[' + b"1," * 2_000_000 + b'1]},{"b":"' + b"x" * 4_000_000 + b'"}]'
    began = time.process_time()
    found = list(
        Elements((body[at : at + 4096] for at in range(0, len(body), 4096)), Cursor(), JsonShape(), filename="f")
    )
    assert [len(element.text) for element in found] == [4_000_009, 4_000_008]
    assert time.process_time() - began < 5


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_marked_file_is_read(encoding: str) -> None:
    """The encodings that old Windows programs write JSON in."""
    rows = read("json", '[{"a":"é"},\n {"a":2}]'.encode(encoding))
    assert [row.cells for row in rows] == [{"a": "é"}, {"a": 2}]
