"""How far a Parquet file expands: a run of equal values takes a few bytes for a billion rows."""

from __future__ import annotations

from batchdrop.errors import UploadRejected
from batchdrop.limits import MAX_DECOMPRESSED_BYTES, MAX_PARQUET_EXPANSION, UNSUSPECTED_BYTES


class Expansion:
    """Adds up what the rows of one reading take as text, and judges all rows up to there by their mean."""

    def __init__(self, filename: str, size: int) -> None:
        self._filename = filename
        self._most = max(UNSUSPECTED_BYTES, min(MAX_DECOMPRESSED_BYTES, MAX_PARQUET_EXPANSION * size))
        self._size = size
        self._rows = self._bytes = 0

    def add(self, rows: int, size: int, *, number: int) -> None:
        """Count rows of `size` bytes in all, after which `number` rows of the file are read.

        Raises UploadRejected when the file's rows take more than they may.
        """
        self._rows += rows
        self._bytes += size
        expanded = self._bytes * number // max(1, self._rows)
        if expanded > self._most:
            message = (
                f"{self._filename}: its first {number:,} rows take {expanded:,} bytes as text, and the whole file only "
                f"{self._size:,}; that is a bomb, or too large for one job. Split it into smaller files"
            )
            raise UploadRejected(message)
