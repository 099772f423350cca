"""Rows that are read some at a time are those that each alone would be: the short way gives what the long one gives."""

from __future__ import annotations

import json
from collections.abc import Generator
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchdrop.adapters.formats.csv.dialect import Dialect
from batchdrop.adapters.formats.csv.input import CsvInput
from batchdrop.adapters.formats.csv.records import Record, RecordReader, Records
from batchdrop.adapters.formats.json.jsonl_input import FAILED_ROW, ObjectRows
from batchdrop.adapters.formats.json.row_lines import RowLines
from batchdrop.adapters.formats.text.encodings import encoding_named
from batchdrop.adapters.formats.text.lines import Lines, split_lines
from batchdrop.errors import UploadRejected
from batchdrop.requests.chunking import CHUNK_BYTES, CHUNK_ROWS, chunks
from batchdrop.requests.row import Cursor
from tests.formats.reading import Bytes, cut_everywhere, reader_of

PIECES = ['"', '""', ",", "\n", "\n", "\n", "\r", "\r\n", "a", "b,c\n", '"x\ny"', "é", "\\", " ", "\x00", "表", "d,"]
texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


class _OneByOne(RecordReader):
    def _line_by_line(self, lines: Lines) -> None:
        pass


def _records(kind: type[RecordReader], body: bytes, seed: int, encoding: str) -> tuple[list[Record], str]:
    """Return the records that a reader finds, and why it ends early."""
    known = encoding_named(encoding)
    lines = split_lines(cut_everywhere(body, seed), offset=7, filename="f", encoding=known)
    found: list[Record] = []
    try:
        for records in kind(lines, Cursor(7, 3, 5), filename="f", dialect=Dialect(), encoding=known):
            found += map(Record, *records)
    except UploadRejected as refused:
        return found, str(refused)
    return found, ""


@given(
    texts, st.sampled_from([b"", b"\xff", b"\x1b$B\n"]), st.integers(), st.sampled_from(["utf-8", "cp932", "utf-16"])
)
@example('a,b\nc,"d\n', b"", 0, "utf-8")
@example("a,b\n\nc,d\re\nf,g\n", b"", 0, "utf-8")
def test_lines_are_the_records_that_the_csv_module_finds(text: str, end: bytes, seed: int, encoding: str) -> None:
    """The same records with the same places, and the same refusal after them, wherever the file is cut."""
    body = text.encode(encoding_named(encoding).name, "replace") + end
    assert _records(RecordReader, body, seed, encoding) == _records(_OneByOne, body, seed, encoding)


@given(st.lists(st.lists(st.sampled_from(["a", "", "é"]), max_size=3), min_size=1), st.sampled_from([None, b"1,2\n"]))
def test_records_are_the_rows_that_each_alone_would_be(cells: list[list[str]], exact: bytes | None) -> None:
    """Of any width, with bytes of their own and without."""
    reader = reader_of("f.csv")
    assert isinstance(reader, CsvInput)
    assert list(reader.row_blocks(Bytes(b"a,b\n"), Cursor())) == []
    records = Records._make(
        zip(*[(f"{','.join(row)}\n", row, Cursor(n, n, n), None, exact) for n, row in enumerate(cells)], strict=True)
    )
    alone = [reader._row(Record(*record)) for record in zip(*records, strict=True)]
    assert reader._rows_of(records) == alone


objects = st.dictionaries(st.sampled_from(["a", "b", "answer", *FAILED_ROW]), st.none() | st.integers() | st.text())
lines = objects.map(json.dumps) | st.sampled_from(["[1]", "{", '{"a":NaN}', "null", '{"a":' * 2_000])


@given(st.lists(lines))
def test_objects_are_the_rows_that_each_alone_would_be(raws: list[str]) -> None:
    """Objects, what is none, names that the output needs and names that come back from failed.jsonl."""
    objects_of = ObjectRows(["answer"], what="line")
    found = RowLines(raws, [Cursor(n, n, n) for n in range(len(raws))], [None] * len(raws))
    assert objects_of.rows(found) == list(map(objects_of.row, *found))


@pytest.mark.parametrize("extension", ["csv", "jsonl", "txt", "json"])
@pytest.mark.parametrize("size", [1, 300, 40_000, 1_000_000])
def test_few_rows_are_in_memory_whatever_their_size(extension: str, size: int) -> None:
    """What is read together is little more than its last row."""
    cell = "x" * size
    line = {"csv": f"1,{cell}\n", "jsonl": json.dumps({"a": cell}) + "\n", "txt": cell + "\n"}.get(extension, "")
    many = min(20_000, 4_000_000 // size)
    body = "a,b\n" + line * many if extension == "csv" else line * many
    if extension == "json":
        body = json.dumps([{"a": cell}] * many)
    blocks = list(reader_of(f"f.{extension}").row_blocks(Bytes(body.encode()), Cursor()))
    assert sum(map(len, blocks)) == many
    assert max(sum(len(row.raw) for row in block[:-1]) for block in blocks) <= CHUNK_BYTES


def _three_and_an_error(closed: list[bool]) -> Generator[int, None, None]:
    try:
        yield from (1, 2, 3)
        message = "the fourth"
        raise ValueError(message)
    finally:
        closed.append(True)


def test_what_goes_wrong_comes_after_what_was_before_it() -> None:
    """Whether a list is full or not."""
    for size, lists in ((1, [[1, 2, 3]]), (CHUNK_BYTES, [[1], [2], [3]])):
        found = chunks(_three_and_an_error([]), partial(max, size))
        assert [next(found) for _ in lists] == lists
        with pytest.raises(ValueError, match="the fourth"):
            next(found)


def test_closing_the_reader_ends_the_reading() -> None:
    """A file is closed with the rows that are read from it."""
    closed: list[bool] = []
    found = chunks(_three_and_an_error(closed), lambda _item: CHUNK_BYTES)
    assert (next(found), closed) == ([1], [])
    found.close()
    assert closed == [True]


def test_no_list_is_longer_than_some_rows() -> None:
    """Rows may have no text at all."""
    found = chunks((row for row in range(3 * CHUNK_ROWS + 1)), lambda _row: 0)
    assert list(map(len, found)) == [CHUNK_ROWS] * 3 + [1]
