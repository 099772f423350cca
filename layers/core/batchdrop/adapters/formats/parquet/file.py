"""Open Parquet files in flat memory, and explain files that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from batchdrop.adapters.formats.parquet.pages import Texts
from batchdrop.adapters.formats.parquet.thrift import BadThrift
from batchdrop.errors import UploadRejected

BATCH_BYTES = 8 * 1024 * 1024  # of one batch as Arrow; as Python objects it takes several times as much
BATCH_ROWS = 2_048
PROBE_ROWS = 16

_BUFFERS = 32 * 1024 * 1024  # of all columns
_LARGEST_BUFFER = 1024 * 1024
_SMALLEST_BUFFER = 16 * 1024


def open_parquet(stream: BinaryIO) -> Any:
    """Open a Parquet file so that row groups are read page by page. Raises pyarrow's errors."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(stream)
    stream.seek(0)
    buffer = max(_SMALLEST_BUFFER, min(_LARGEST_BUFFER, _BUFFERS // max(1, metadata.num_columns)))
    # Spark's old INT96 counts nanoseconds, but Spark itself writes microseconds, and reads no nanoseconds.
    return pq.ParquetFile(
        stream, metadata=metadata, pre_buffer=False, buffer_size=buffer, coerce_int96_timestamp_unit="us"
    )


def batches(file: Any, texts: Texts, start: int = 0) -> Iterator[Any]:
    """Yield a file's record batches from its row `start` on; earlier row groups are skipped.

    Raises pyarrow's errors, and EOFError if a row group has fewer rows than the footer declares.
    """
    size = _BatchSize()
    for group in range(file.metadata.num_row_groups):
        length = file.metadata.row_group(group).num_rows
        if 0 <= length <= start:
            start -= length
            continue
        most = texts.most_rows(group, BATCH_ROWS)
        for batch in _group_batches(file, group, start, size, most):
            start += batch.num_rows
            yield batch
        if start != length:
            message = f"its row group {group + 1} declares {length:,} rows but has {start:,}"
            raise EOFError(message)
        start = 0


@contextmanager
def refusals(name: str) -> Iterator[None]:
    """Turn pyarrow's errors about a broken file into UploadRejected; the bucket's errors pass through."""
    import pyarrow as pa

    try:
        yield
    except pa.ArrowNotImplementedError as error:
        message = f"{name}: the Parquet file has values that cannot be read ({error}). Write it with simpler types"
        raise UploadRejected(message) from error
    except (pa.ArrowException, UnicodeDecodeError, OverflowError, EOFError, BadThrift) as error:
        raise UploadRejected(_explained(name, str(error))) from error
    except OSError as error:
        if type(error) is not OSError or error.errno is not None:  # from the network, not from pyarrow
            raise
        raise UploadRejected(_explained(name, str(error))) from error


def refuse_by_its_ends(stream: BinaryIO, name: str) -> None:
    """Raise UploadRejected for a file that is clearly not Parquet, or is encrypted. Leaves the stream at its start."""
    head = stream.read(4)
    end = stream.seek(0, 2)
    stream.seek(max(0, end - 4))
    tail = stream.read(4)
    stream.seek(0)
    if b"PARE" in (head, tail):
        reason = f"{name}: the Parquet file is encrypted. Write it without encryption and drop it again"
        raise UploadRejected(reason)
    if head != b"PAR1":
        reason = (
            f"{name}: this is not a Parquet file (it does not start with PAR1). "
            "Give it the right extension, or write it as Parquet, and drop it again"
        )
        raise UploadRejected(reason)
    if tail != head:
        reason = (
            f"{name}: the Parquet file is truncated (it does not end with PAR1). Copy the whole file and drop it again"
        )
        raise UploadRejected(reason)


class _BatchSize:
    """The number of rows in a batch of about BATCH_BYTES, learnt from the first batches.

    The footer does not help: a dictionary may repeat a long text. (And pyarrow 26 crashes the process on the column
    statistics of a wrong footer.)
    """

    def __init__(self) -> None:
        self.rows = PROBE_ROWS
        self._probed = False

    def fits(self, batch: Any) -> bool:
        """Return whether the next batches should be as long as this one; if not, change `rows`."""
        size = _own_bytes(batch)
        if self._probed and (size <= 4 * BATCH_BYTES or self.rows == 1):
            return True
        self._probed = True
        self.rows = max(1, min(BATCH_ROWS, batch.num_rows * BATCH_BYTES // max(1, size)))
        return False


def _group_batches(file: Any, group: int, start: int, size: _BatchSize, most: int) -> Iterator[Any]:
    """Yield a row group's batches from its row `start` on, of at most `most` rows.

    The group is reopened there if their size must change.
    """
    unfit = True
    while unfit:
        unfit = False
        for batch in _from(file, group, start, min(size.rows, most)):
            yield batch
            start += batch.num_rows
            if not size.fits(batch):
                unfit = True
                break


def _from(file: Any, group: int, start: int, rows: int) -> Iterator[Any]:
    position = 0
    for batch in file.iter_batches(rows, [group], use_threads=False):
        skipped = max(0, start - position)
        position += batch.num_rows
        if skipped < batch.num_rows:
            refuse_wild_indices(batch)
            yield batch.slice(skipped)


def refuse_wild_indices(batch: Any) -> None:
    """Raise EOFError for an index beyond its dictionary: pyarrow reads it, and crashes when it writes it again."""
    import pyarrow.compute as pc

    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if hasattr(column, "dictionary") and len(column.indices):
            ends = pc.min_max(column.indices).as_py()
            if ends["max"] is not None and not 0 <= ends["min"] <= ends["max"] < len(column.dictionary):
                message = f"column '{name}' has an index beyond its dictionary"
                raise EOFError(message)


def _own_bytes(batch: Any) -> int:
    """Return a batch's bytes without its dictionaries, which do not shrink with it."""
    dictionaries = sum(getattr(column, "dictionary", column[:0]).nbytes for column in batch.columns)
    return int(batch.nbytes - dictionaries)


def _explained(name: str, reason: str) -> str:
    if "ecrypt" in reason or "ncrypt" in reason:
        return f"{name}: the Parquet file is encrypted. Write it without encryption and drop it again"
    [first, *_] = reason.strip().splitlines() or ["no reason given"]
    return f"{name}: the Parquet file is broken ({first.strip('. ')}). Write it again and drop it again"
