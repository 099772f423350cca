"""Bombs: files of a few kilobytes that would become terabytes of rows, or fill the memory."""

from __future__ import annotations

import gzip
import io
import tracemalloc
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.adapters.formats.parquet import expansion
from batchdrop.answers.columns import NewColumns
from batchdrop.errors import UploadRejected
from batchdrop.job.upload import parse_inbox_key
from batchdrop.recipe.recipe import Input
from batchdrop.requests.row import Cursor
from tests.formats.reading import Bytes, rows_in

MB = 1_000_000


def _rows(name: str, body: bytes, start: Cursor = Cursor()) -> Any:  # noqa: B008 - it is frozen
    reader = FileFormats().reader(parse_inbox_key(f"inbox/r/{name}"), Input(), NewColumns())
    return rows_in(reader, Bytes(body), start)


def _constant(rows: int, text: str) -> bytes:
    """Return a Parquet file of equal rows, a few hundred bytes for any number of them."""
    out = io.BytesIO()
    cells = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), [text])
    pq.write_table(pa.table({"x": cells}), out, row_group_size=rows)
    return out.getvalue()


def _refused_after(body: bytes, start: Cursor = Cursor()) -> tuple[str, int]:  # noqa: B008 - it is frozen
    """Return why a Parquet file is refused, and how many rows were read before."""
    read = 0
    try:
        for _ in _rows("f.parquet", body, start):
            read += 1
    except UploadRejected as refused:
        return str(refused), read
    return "", read


def test_a_parquet_bomb_is_refused_before_it_is_unpacked() -> None:
    """Two hundred thousand equal rows of 1 KB from a file of some KB: 200 MB, refused at half of it, in flat memory."""
    body = _constant(200_000, "y" * 1_000)
    assert len(body) < 30_000
    tracemalloc.start()
    why, read = _refused_after(body)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert why.startswith("f.parquet: its first ")
    assert read < 150_000
    assert most < 60 * MB


def test_a_parquet_bomb_is_refused_wherever_the_split_goes_on() -> None:
    """Another invocation that begins in the middle counts what was read before, too."""
    why, read = _refused_after(_constant(150_000, "y" * 1_000), Cursor(120_000, 120_000, 120_000))
    assert why.startswith("f.parquet: its first 12")
    assert read < 10_000


@pytest.mark.parametrize("kind", [pa.int64(), pa.string()])
def test_a_list_of_millions_of_equal_values_is_refused_unread(kind: pa.DataType) -> None:
    """One row of some hundred bytes would become gigabytes at once."""
    value: Any = 0 if kind == pa.int64() else ""
    cells = pa.array([[value] * 20_000_000], pa.list_(kind))
    out = io.BytesIO()
    pq.write_table(pa.table({"x": cells}), out, compression="zstd")
    assert len(out.getvalue()) < 30_000
    before = pa.total_allocated_bytes()
    why, read = _refused_after(out.getvalue())
    assert "the lists of column 'x.list.element' hold 20,000,000 values" in why
    assert read == 0
    assert pa.total_allocated_bytes() <= before


def test_honest_repetition_is_no_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is below 100 MB is never refused; above, only what expands to two thousand times the file."""
    body = _constant(20_000, "y" * 1_000)
    assert sum(1 for _ in _rows("f.parquet", body)) == 20_000
    monkeypatch.setattr(expansion, "UNSUSPECTED_BYTES", 1_000)
    out = io.BytesIO()
    table = pa.table({"id": pa.array(range(5_000)), "x": pa.array(["y" * 500] * 5_000).dictionary_encode()})
    pq.write_table(table, out)
    assert sum(1 for _ in _rows("f.parquet", out.getvalue())) == 5_000


def test_a_file_in_a_file_is_not_unpacked_twice() -> None:
    """A gzip within a gzip has no rows: one compression is read, and the error names the other."""
    with pytest.raises(UploadRejected, match=r"f\.csv\.gz\.gz"):
        list(_rows("f.csv.gz.gz", gzip.compress(gzip.compress(b"x\n1\n"))))


def test_names_do_not_hide_a_second_compression() -> None:
    """Under the name of one compression, the inner one is bytes of a text file, and none."""
    body = gzip.compress(gzip.compress(b"x\n" + b"1\n" * 100))
    with pytest.raises(UploadRejected):
        list(_rows("f.csv.gz", body))
