"""Parquet that cannot be read is refused with the file's name and what to do, whatever its bytes are."""

from __future__ import annotations

import io
import random
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batchdrop.adapters.formats.parquet import file, footer, thrift
from batchdrop.adapters.formats.parquet.input import ParquetInput
from batchdrop.errors import UploadRejected
from tests.formats.office import START, Bytes
from tests.formats.reading import rows_in

TABLE = pa.table(
    {
        "n": list(range(60)),
        "text": [f"text {i % 7}" if i % 5 else None for i in range(60)],
        "listed": [[i, None] if i % 3 else None for i in range(60)],
        "kind": pa.array([f"kind {i % 3}" for i in range(60)]).dictionary_encode(),
        "at": pa.array(range(60), pa.timestamp("ns", "UTC")),
    }
)


def parquet(**options: Any) -> bytes:
    """Return TABLE as a Parquet file."""
    out = io.BytesIO()
    pq.write_table(TABLE, out, row_group_size=20, **options)
    return out.getvalue()


def read(body: bytes) -> int:
    """Return the number of rows."""
    return sum(1 for _ in rows_in(ParquetInput("f.parquet"), Bytes(body), START))


WHOLE = parquet(compression="zstd")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "is not a Parquet file"),
        (b"PA", "is not a Parquet file"),
        (b"a,b\n1,2\n", "is not a Parquet file"),
        (WHOLE[4:], "is not a Parquet file"),
        (b"PAR1", "is broken"),
        (b"PAR1PAR1", "is broken"),
        (WHOLE[:-1], "is truncated"),
        (WHOLE[: len(WHOLE) // 2], "is truncated"),
        (WHOLE[:-8] + b"\xff\xff\xff\x7fPAR1", "is broken"),
        (WHOLE[:-8] + b"\x03\x00\x00\x00PAR1", "is broken"),
        (b"PAR1" + b"\x00" * 40 + b"\x20\x00\x00\x00PAR1", "is broken"),
        (b"PAR1" + b"\x15\x04\x19\xfc\xff\xff\xff\xff\x0f" + b"\x09\x00\x00\x00PAR1", "is broken"),
        (WHOLE[:-4] + b"PARE", "is encrypted"),
        (b"PARE" + WHOLE[4:-4] + b"PARE", "is encrypted"),
    ],
)
def test_a_file_that_is_not_parquet_is_refused(body: bytes, told: str) -> None:
    """The message names the file, what is wrong, and what to do."""
    with pytest.raises(UploadRejected, match=rf"^f\.parquet: .*{told}.*drop it again"):
        read(body)


def test_a_table_without_columns_is_refused() -> None:
    """Rows of nothing cannot be asked."""
    out = io.BytesIO()
    pq.write_table(pa.table({"x": [1]}).select([]), out)
    with pytest.raises(UploadRejected, match="has no columns"):
        read(out.getvalue())


def test_a_damaged_page_is_refused() -> None:
    """Damage shows where the page is read; it is the file's fault all the same."""
    with pytest.raises(UploadRejected, match=r"^f\.parquet: the Parquet file is broken"):
        read(WHOLE[:4] + b"\xff" * 60 + WHOLE[64:])


@pytest.mark.parametrize("seed", range(8))
def test_no_damage_makes_another_error(seed: int) -> None:
    """Cut, flipped and stuffed files are read or refused; nothing else, and soon."""
    chance = random.Random(seed)
    whole = [parquet(compression=kind, data_page_version=page) for kind in ("none", "gzip") for page in ("1.0", "2.0")]
    for _ in range(60):
        body = _damaged(bytearray(chance.choice(whole)), chance)
        with suppress(UploadRejected):
            read(body)


def _damaged(body: bytearray, chance: random.Random) -> bytes:
    footer = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
    kind = chance.random()
    if kind < 0.2:
        del body[chance.randrange(4, len(body) - 8) : -8]
    elif kind < 0.3:
        body[chance.randrange(len(body)) : 0] = chance.randbytes(9)
    else:
        for _ in range(chance.choice((1, 1, 2, 8))):
            place = chance.randrange(footer, len(body) - 4) if chance.random() < 0.6 else chance.randrange(4, footer)
            body[place] = chance.choice((body[place] ^ 1 << chance.randrange(8), 0, 0x7F, 0xFF))
    return bytes(body)


class Dropped(OSError):
    """The network's error."""


@pytest.mark.parametrize("error", [Dropped(104, "reset"), ConnectionResetError(104, "reset"), TimeoutError("slow")])
def test_errors_of_the_bucket_are_not_the_files_fault(error: Exception) -> None:
    """The caller retries a dropped connection; the upload is not refused."""

    class Breaking(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.reads += 1
            if self.reads > 5:
                raise error
            return super().read(size)

    source = Bytes(WHOLE)
    source.open = lambda: Breaking(WHOLE)  # type: ignore[method-assign] # a file that breaks
    with pytest.raises(type(error)):
        list(rows_in(ParquetInput("f.parquet"), source, START))


def test_an_index_beyond_its_dictionary_is_refused() -> None:
    """Arrow reads it, and crashes the process when it writes it again."""
    wild = pa.DictionaryArray.from_arrays(pa.array([0, 9]), pa.array(["a"]), safe=False)
    with pytest.raises(EOFError, match="column 'kind' has an index beyond its dictionary"):
        file.refuse_wild_indices(pa.record_batch([wild], names=["kind"]))
    file.refuse_wild_indices(pa.record_batch([wild.slice(0, 1), pa.nulls(1, wild.type)], names=["kind", "none"]))


def test_a_footer_whose_statistics_do_not_fit_does_not_end_the_process() -> None:
    """Arrow's own view of it does: it aborts. So our reader looks at the footer's bytes."""
    body = parquet(compression="none")
    [first, *_] = groups = footer.row_groups(io.BytesIO(body))
    assert len(groups) == 3
    assert [chunk.path for chunk in first] == ["n", "text", "listed.list.element", "kind", "at"]
    own = pq.read_metadata(io.BytesIO(body)).row_group(0)
    for number, chunk in enumerate(first):
        known = own.column(number)
        assert (chunk.values, chunk.unpacked) == (known.num_values, known.total_uncompressed_size)
        assert (chunk.data, chunk.dictionary) == (known.data_page_offset, known.dictionary_page_offset)
    for cut in (b"", b"\x15", b"\x19\xfc\xff\xff\xff\x7f", b"\x1c" * 40):
        with pytest.raises(thrift.BadThrift):
            footer.row_groups(io.BytesIO(b"PAR1" + cut + len(cut).to_bytes(4, "little") + b"PAR1"))


def test_a_name_that_is_not_utf8_is_refused() -> None:
    """It raises only when it is read."""
    out = io.BytesIO()
    pq.write_table(pa.table({"nmümm": [1]}), out, store_schema=False)
    with pytest.raises(UploadRejected, match=r"^f\.parquet: the Parquet file is broken"):
        read(out.getvalue().replace("nmümm".encode(), b"nm\xff\xffmm"))
