"""A few bytes of Parquet that unpack to gigabytes are refused, or read in little memory."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batchdrop.adapters.formats.parquet import pages
from batchdrop.adapters.formats.parquet.footer import row_groups
from batchdrop.errors import UploadRejected
from tests.formats.reading import read
from tests.project import ROOT

MEGABYTE = 1_000_000


def _repeated(text: str, rows: int, **options: Any) -> bytes:
    """Return a file of rows that all have one text, which its dictionary has once."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text]))
    out = io.BytesIO()
    pq.write_table(pa.table({"text": column}), out, dictionary_pagesize_limit=1 << 30, store_schema=False, **options)
    return out.getvalue()


def test_a_page_of_zeros_is_refused_before_it_is_unpacked() -> None:
    """By what the page's own header declares."""
    body = _repeated("x" * 100 * MEGABYTE, 1_000, compression="brotli")
    assert len(body) < 1_000
    with pytest.raises(UploadRejected, match=r"^f\.parquet: a page of column 'text' unpacks from \d+ to 100,000,004"):
        read("parquet", body)


def test_a_large_file_is_looked_at_where_it_is_steep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its other columns are not."""
    body = _repeated("x" * 100 * MEGABYTE, 1_000, compression="brotli")
    monkeypatch.setattr(pages, "WALKED_BYTES", 0)
    with pytest.raises(UploadRejected, match="a page of column 'text'"):
        read("parquet", body)


# The process reads the file as a split does: row by row, and forgets them.
READER = """
import resource, sys
from batchdrop.adapters.formats.parquet.input import ParquetInput
from batchdrop.requests.row import Cursor
from tests.formats.office import Bytes
import pyarrow.parquet
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    rows = sum(map(len, ParquetInput("f.parquet").row_blocks(Bytes(open(sys.argv[1], "rb").read()), Cursor())))
except Exception as refusal:
    rows = str(refusal)
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def _split(path: Path) -> tuple[str, int]:
    """Return a file's number of rows, or its refusal, and the megabytes that reading it took."""
    ended = subprocess.run(
        [sys.executable, "-c", READER, path], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    told, _, megabytes = ended.stdout.rpartition(" ")
    return told, int(megabytes)


def test_rows_that_repeat_a_long_text_are_read_a_few_at_a_time(tmp_path: Path) -> None:
    """Two thousand of them together would take two gigabytes; the first rows do not tell."""
    short = pa.array([0] * 3_000 + [1] * 3_000, pa.int32())
    column = pa.DictionaryArray.from_arrays(short, pa.array(["a", "x" * MEGABYTE]))
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table({"text": column}), path, dictionary_pagesize_limit=1 << 30, store_schema=False)
    told, megabytes = _split(path)
    assert "decompression bomb" in told
    assert megabytes < 700


def _list_column(texts: pa.Array, shape: str) -> pa.Array:
    """Return a column of one row, a list of all texts."""
    ends = pa.array([0, len(texts)], pa.int32())
    if shape == "map":
        return pa.MapArray.from_arrays(ends, pa.array(range(len(texts))), texts)
    if shape == "structs":
        return pa.ListArray.from_arrays(ends, pa.StructArray.from_arrays([texts], ["a"]))
    inner = pa.ListArray.from_arrays(ends, texts)
    return pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), inner) if shape == "lists" else inner


@pytest.mark.parametrize("shape", ["list", "lists", "structs", "map"])
def test_a_list_that_repeats_a_long_text_is_refused(shape: str, tmp_path: Path) -> None:
    """Before the texts are taken from the dictionary: the row would have a gigabyte."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int32()), pa.array(["x" * MEGABYTE]))
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table({"tags": _list_column(texts, shape)}), path, store_schema=False)
    told, megabytes = _split(path)
    assert told.startswith("f.parquet: one row's list in column 'tags")
    assert "has 1,000 texts of up to 1,000,000 bytes" in told
    assert megabytes < 200


def test_lists_of_long_texts_are_read_a_few_rows_at_a_time() -> None:
    """A hundred rows of them together would have a gigabyte."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int32()), pa.array(["x" * MEGABYTE]))
    column = pa.ListArray.from_arrays(pa.array(range(0, 1_001, 10), pa.int32()), texts)
    out = io.BytesIO()
    pq.write_table(pa.table({"tags": column}), out, store_schema=False)
    assert pages.Texts(out, pq.read_metadata(out), row_groups(out), "f.parquet").most_rows(0, 2_048) == 25


def test_usual_dictionaries_do_not_shorten_batches() -> None:
    """Many different short texts make a large dictionary, and each row has a short one."""
    out = io.BytesIO()
    pq.write_table(pa.table({"text": [f"{number:040}" for number in range(20_000)]}), out)
    texts = pages.Texts(out, pq.read_metadata(out), row_groups(out), "f.parquet")
    assert texts.most_rows(0, 2_048) == 2_048
    assert len(read("parquet", out.getvalue())) == 20_000


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip", "brotli", "lz4"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_all_pages_are_found(compression: str, version: str) -> None:
    """With statistics in their headers, or without, in both versions of data pages."""
    out = io.BytesIO()
    table = pa.table({"n": list(range(50_000)), "text": [f"t{number % 700}" for number in range(50_000)]})
    pq.write_table(table, out, compression=compression, data_page_version=version, data_page_size=10_000)
    metadata = pq.read_metadata(out)
    for number, own in enumerate(row_groups(out)[0]):
        chunk = metadata.row_group(0).column(number)
        found = list(pages._pages(out, own))
        assert len(found) > 3
        headers = chunk.total_compressed_size - sum(page.packed for page in found)
        assert 0 < headers < 120 * len(found)
        assert chunk.total_uncompressed_size == sum(page.unpacked for page in found) + headers
