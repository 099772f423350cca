"""Files that nobody meant: every reader ends in rows, rejected rows or UploadRejected, and so does every output."""

from __future__ import annotations

import contextlib
import csv
import io
import json

from hypothesis import example, given
from hypothesis import strategies as st

from batchdrop.adapters.formats.around_input import innermost
from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.answers.columns import Column
from batchdrop.answers.outcome import Outcome, rejected
from batchdrop.errors import UploadRejected
from batchdrop.job.ports import OutputFormat
from batchdrop.job.upload import parse_inbox_key
from batchdrop.recipe.recipe import Input, Output
from batchdrop.requests.row import Cursor, Row, StoredRow
from tests.formats.reading import NEW, Bytes, Collected, answered, rows_in
from tests.formats.whole import whole_of

PIECES = [
    b'"', b'""', b",", b";", b"\t", b"\n", b"\r", b"\r\n", b"\x00", b"a", b"b,c", b"{", b"}", b"[", b"]", b":", b"\\",
    b'{"a":1}', b'[{"a":1},{"a":2}]', b'\\"', b"\\ud800", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff",
    b"\x81", b"\x1b$B", b"\x1b(B", b"sep=;\n", b"=1+1", b" ", "表".encode("cp932"), "表".encode(), b"\xe2\x80\xa8",
    b"\x0a\x00", b"\x1f\x8b\x08\x00", b"BZh9", b"\x28\xb5\x2f\xfd", b"1e999", b"nan", b"null",
]  # fmt: skip
bodies = st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=25).map(b"".join)
extensions = st.sampled_from(["csv", "tsv", "jsonl", "json", "txt"])
compressions = st.sampled_from(["", ".gz", ".bz2", ".zst"])
encodings = st.sampled_from([None, None, "cp932", "utf-16", "iso2022_jp", "latin-1", "cp037", "gb18030"])


def _outcome(row: Row) -> Outcome:
    return rejected(row.error) if row.error else answered("=yes,\n")


@given(bodies, extensions, compressions, encodings, st.sampled_from([1, 3, 1 << 20]))
@example(b'a\n"', "csv", "", None, 1)
def test_no_file_breaks_a_reader_or_an_output(
    body: bytes, extension: str, compression: str, encoding: str | None, block: int
) -> None:
    """Whatever the bytes: each row is in the output once, and the output can be read by any program."""
    key, formats = parse_inbox_key(f"inbox/r/f.{extension}{compression}"), FileFormats()
    options = Input(encoding=encoding)
    reader = formats.reader(key, options, NEW)
    source = Bytes(body, "f", block=block)
    rows: list[Row] = []
    with contextlib.suppress(UploadRejected):
        rows.extend(rows_in(reader, source, Cursor()))
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    if not rows:
        return
    again = formats.reader(key, options, NEW, reader.header)
    assert next(iter(rows_in(again, source, rows[-1].start))) == rows[-1]
    output = formats.writer(
        again, key, Output(compression="none"), NEW, [Column(name) for name in reader.columns or []]
    )
    body = _written(output, rows)
    found = innermost(again)
    text = body.decode(getattr(found, "encoding").name)  # noqa: B009 - of text formats only
    for written in (text, _written(formats.failed(again, NEW), rows).decode()):
        _check(written, "jsonl" if written is not text else found.name, len(rows))


def _written(output: OutputFormat, rows: list[Row]) -> bytes:
    part_file = Collected()
    with output.part(part_file, None) as part:
        for row in rows:
            part.add([StoredRow(row.number, row.raw, row.error, row.exact)], [_outcome(row)])
    return whole_of(output, [part_file.body])


def _check(written: str, extension: str, rows: int) -> None:
    written = written.removeprefix("\ufeff")
    if extension == "json":
        assert len(json.loads(written)) == rows
    elif extension == "jsonl":
        assert all(isinstance(json.loads(line), dict) for line in written.split("\n")[:-1])
        assert written.count("\n") == rows
    else:
        delimiter = "\t" if extension == "tsv" else ","
        if written.startswith("sep=;"):
            written, delimiter = written.partition("\n")[2], ";"
        head = written.split("_status")[0]
        if extension == "csv" and head.endswith((";", "\t")):
            delimiter = head[-1]
        records = list(csv.reader(io.StringIO(written, newline=""), delimiter=delimiter))
        assert len(records) == rows + 1
        assert {record[-2] for record in records[1:]} <= {"answered", "rejected"}
        assert len({len(record) for record in records}) == 1
