"""Opening Parquet files in flat memory; what cannot be read is the file's fault, told in the user's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from batchdrop.errors import UploadRejected

BATCH_BYTES = 8 * 1024 * 1024  # about what one batch of rows may take as Arrow; as Python objects it is some times more
BATCH_ROWS = 2_048
PROBE_ROWS = 16

_BUFFERS = 32 * 1024 * 1024  # for all columns together
_LARGEST_BUFFER = 1024 * 1024
_SMALLEST_BUFFER = 16 * 1024


def open_parquet(stream: BinaryIO) -> Any:
    """Open a Parquet file so that a row group is read page by page, never as a whole. Raises what pyarrow raises."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(stream)
    stream.seek(0)
    buffer = max(_SMALLEST_BUFFER, min(_LARGEST_BUFFER, _BUFFERS // max(1, metadata.num_columns)))
    return pq.ParquetFile(stream, metadata=metadata, pre_buffer=False, buffer_size=buffer)


def batches(file: Any, start: int = 0) -> Iterator[Any]:
    """Yield a file's record batches from its row `start` on; row groups before it are not read.

    Raises what pyarrow raises, and EOFError where a row group has fewer rows than the footer promises.
    """
    size = _BatchSize()
    for group in range(file.metadata.num_row_groups):
        length = file.metadata.row_group(group).num_rows
        if 0 <= length <= start:
            start -= length
            continue
        for batch in _group_batches(file, group, start, size):
            start += batch.num_rows
            yield batch
        if start != length:
            message = f"its row group {group + 1} promises {length:,} rows and has {start:,}"
            raise EOFError(message)
        start = 0


@contextmanager
def refusals(name: str) -> Iterator[None]:
    """Turn what pyarrow says of a broken file into UploadRejected; errors of the bucket stay what they are."""
    import pyarrow as pa

    try:
        yield
    except pa.ArrowNotImplementedError as error:
        message = f"{name}: the Parquet file holds what cannot be read ({error}). Write it with plainer types"
        raise UploadRejected(message) from error
    except (pa.ArrowException, UnicodeDecodeError, OverflowError, EOFError) as error:
        raise UploadRejected(_explained(name, str(error))) from error
    except OSError as error:
        if type(error) is not OSError or error.errno is not None:  # the network's, not pyarrow's
            raise
        raise UploadRejected(_explained(name, str(error))) from error


def refuse_by_its_ends(stream: BinaryIO, name: str) -> None:
    """Raise UploadRejected for a file that is plainly no Parquet, or is encrypted. Leaves the stream at its start."""
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
            "Give it the extension of what it is, or write it as Parquet, and drop it again"
        )
        raise UploadRejected(reason)
    if tail != head:
        reason = f"{name}: the Parquet file is cut off (it does not end with PAR1). Copy it whole and drop it again"
        raise UploadRejected(reason)


class _BatchSize:
    """How many rows make a batch of about BATCH_BYTES: learnt from the batches, a few rows first.

    The footer does not tell: a dictionary may repeat a long text. (And pyarrow 26 ends the whole process when it is
    asked for the column statistics of a footer that lies.)
    """

    def __init__(self) -> None:
        self.rows = PROBE_ROWS
        self._probed = False

    def fits(self, batch: Any) -> bool:
        """Tell whether the next batches should be as long as this one; if not, `rows` is changed."""
        size = _own_bytes(batch)
        if self._probed and (size <= 4 * BATCH_BYTES or self.rows == 1):
            return True
        self._probed = True
        self.rows = max(1, min(BATCH_ROWS, batch.num_rows * BATCH_BYTES // max(1, size)))
        return False


def _group_batches(file: Any, group: int, start: int, size: _BatchSize) -> Iterator[Any]:
    """Yield a row group's batches from its row `start` on; read again from there where their size has to change."""
    unfit = True
    while unfit:
        unfit = False
        for batch in _from(file, group, start, size.rows):
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
            yield batch.slice(skipped)


def _own_bytes(batch: Any) -> int:
    """Return a batch's bytes without its dictionaries: those do not shrink with it."""
    dictionaries = sum(getattr(column, "dictionary", column[:0]).nbytes for column in batch.columns)
    return int(batch.nbytes - dictionaries)


def _explained(name: str, reason: str) -> str:
    if "ecrypt" in reason or "ncrypt" in reason:
        return f"{name}: the Parquet file is encrypted. Write it without encryption and drop it again"
    [first, *_] = reason.strip().splitlines() or ["no reason given"]
    return f"{name}: the Parquet file is broken ({first.strip('. ')}). Write it again and drop it again"
