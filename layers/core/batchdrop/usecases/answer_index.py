"""Results on disk, found by row: the API gives them in any order, the output needs them in the rows' order."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable
from typing import BinaryIO

import msgspec

from batchdrop.domain import custom_id
from batchdrop.domain.result import ResultId
from batchdrop.errors import ResultsIncomplete

_NOWHERE = -1


class AnswerIndex:
    """One shard's result lines: the lines stay in `spool`, memory holds 16 bytes a row.

    `found` counts the rows that have a line, `foreign` the lines that belong to no row of the shard, `repeated` the
    second lines of a row (the first one counts).
    """

    def __init__(self, spool: BinaryIO, *, job_id: str, shard: int, rows: int) -> None:
        self._spool = spool
        self._whose = (job_id, shard)
        self._offsets = array("q", [_NOWHERE]) * rows
        self._lengths = array("q", [0]) * rows
        self._end = 0
        self._decoder = msgspec.json.Decoder(ResultId)
        self.found = self.foreign = self.repeated = 0

    def fill(self, lines: Iterable[bytes]) -> None:
        """Write result lines to the spool and note whose they are. Raises ResultsIncomplete for a line cut short."""
        for line in lines:
            if line.strip():
                self._note(line)
                self._spool.write(line + b"\n")
                self._end += len(line) + 1
        self._spool.flush()

    def line(self, index: int) -> bytes | None:
        """Return the result line of the shard's row `index`; None if there is none."""
        offset = self._offsets[index]
        return None if offset == _NOWHERE else os.pread(self._spool.fileno(), self._lengths[index], offset)

    def _note(self, line: bytes) -> None:
        try:
            found_id = self._decoder.decode(line).custom_id
        except msgspec.DecodeError as error:
            message = f"result line {self.found + self.foreign + self.repeated + 1} is cut or broken: {error}"
            raise ResultsIncomplete(message) from error
        row = custom_id.parse(found_id)
        if row is None or (row.job, row.shard) != self._whose or row.index >= len(self._offsets):
            self.foreign += 1
        elif self._offsets[row.index] != _NOWHERE:
            self.repeated += 1
        else:
            self._offsets[row.index], self._lengths[row.index] = self._end, len(line)
            self.found += 1
