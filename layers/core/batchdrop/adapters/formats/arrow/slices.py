"""Cut record batches into slices whose rows fit into memory as Python values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from batchdrop.adapters.formats.limits import UNSUSPECTED_BYTES
from batchdrop.adapters.formats.parquet.file import BATCH_BYTES, BATCH_ROWS
from batchdrop.errors import UploadRejected

_VALUE_BYTES = 8  # of a list's value, at least


def slices(batch: Any, number: int, filename: str) -> Iterator[Any]:
    """Yield a batch in slices, in order; `number` rows of the file precede it.

    Views let many rows share one long value, so a slice's size is what its rows refer to. Raises UploadRejected for a
    row that is too large.
    """
    for start in range(0, batch.num_rows, BATCH_ROWS):
        yield from _halved(batch.slice(start, BATCH_ROWS), number + start, filename)


def _halved(batch: Any, number: int, filename: str) -> Iterator[Any]:
    size = sum(map(referred_bytes, batch.columns))
    if size <= BATCH_BYTES:
        yield batch
    elif batch.num_rows > 1:
        half = batch.num_rows // 2
        yield from _halved(batch.slice(0, half), number, filename)
        yield from _halved(batch.slice(half), number + half, filename)
    elif size > UNSUSPECTED_BYTES:
        message = (
            f"{filename} row {number + 1:,}: its values take {size:,} bytes, more than {UNSUSPECTED_BYTES:,}. "
            "Write smaller lists or texts"
        )
        raise UploadRejected(message)
    else:
        yield batch


def referred_bytes(array: Any) -> int:
    """Return about how many bytes an array's values take, each counted where it is referred to."""
    import pyarrow.types as is_type

    kind = array.type
    if hasattr(kind, "storage_type"):
        return referred_bytes(array.storage)
    if is_type.is_struct(kind):
        return sum(map(referred_bytes, array.flatten()))
    if hasattr(kind, "value_field") and not is_type.is_map(kind):
        return _in_lists(array)
    if is_type.is_string_view(kind) or is_type.is_binary_view(kind):
        return _in_views(array)
    return int((array.indices if is_type.is_dictionary(kind) else array).nbytes)


def _in_lists(array: Any) -> int:
    import pyarrow.compute as pc

    size = _VALUE_BYTES * (pc.sum(pc.list_value_length(array)).as_py() or 0)
    return size if size > UNSUSPECTED_BYTES else size + referred_bytes(array.flatten())


def _in_views(array: Any) -> int:
    """Return the size of views: each has sixteen bytes, and the first four are its value's length."""
    lengths = memoryview(array.buffers()[1]).cast("i")[4 * array.offset : 4 * (array.offset + len(array)) : 4]
    valid = array.is_valid().to_pylist()
    return _VALUE_BYTES * len(array) + sum(length for length, is_set in zip(lengths, valid, strict=True) if is_set)
