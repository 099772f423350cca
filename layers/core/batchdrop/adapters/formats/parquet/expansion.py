"""Limit the expansion of a Parquet file: a few bytes can hold a billion equal rows."""

from __future__ import annotations

from typing import Any

from batchdrop.adapters.formats.limits import MAX_DECOMPRESSED_BYTES, UNSUSPECTED_BYTES
from batchdrop.adapters.formats.parquet.footer import Chunk
from batchdrop.errors import UploadRejected

_VALUE_BYTES = 8  # of a list's value in memory: a number, or an offset and some text
MAX_PARQUET_EXPANSION = 2_000  # ours: rows of a few repeated texts and a number reach some hundreds


def refuse_endless_lists(metadata: Any, groups: list[list[Chunk]], filename: str, size: int) -> None:
    """Raise UploadRejected if the footer declares lists that no memory holds: one row can have a billion equal values.

    Rows are read some at a time, but a row's list is read whole. The footer counts the values of each column.
    """
    most = max(UNSUSPECTED_BYTES, MAX_PARQUET_EXPANSION * size)
    for group in groups:
        for number, chunk in enumerate(group):
            unpacked = chunk.values * _VALUE_BYTES
            if unpacked > most and metadata.schema.column(number).max_repetition_level:
                message = (
                    f"{filename}: the lists of column '{chunk.path}' hold {chunk.values:,} values, "
                    f"and the whole file only {size:,} bytes; it is a decompression bomb. Write smaller lists"
                )
                raise UploadRejected(message)


class Expansion:
    """Adds up the rows' size as text, and limits its ratio to the file's size."""

    def __init__(self, filename: str, size: int) -> None:
        self._filename = filename
        self._most = max(UNSUSPECTED_BYTES, min(MAX_DECOMPRESSED_BYTES, MAX_PARQUET_EXPANSION * size))
        self._size = size
        self._rows = self._bytes = 0

    def add(self, rows: int, size: int, *, number: int) -> None:
        """Add rows of `size` bytes; `number` rows of the file have then been read.

        Raises UploadRejected if the rows take more than they may.
        """
        self._rows += rows
        self._bytes += size
        expanded = self._bytes * number // max(1, self._rows)
        if expanded > self._most:
            message = (
                f"{self._filename}: its first {number:,} rows take {expanded:,} bytes as text, and the whole file only "
                f"{self._size:,}; it is a decompression bomb, or too large for one job. Split it into smaller files"
            )
            raise UploadRejected(message)
