"""The answers of a grouped job on their way from the shards, which are sorted by group, to the file's order.

Collecting a shard writes its final result lines in the order of the rows in the file, and where the lines of each block
of the file begin. Closing the job reads for each block what every shard has of it. So memory holds one block.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import BinaryIO, NamedTuple

from batchdrop.answers.outcome import Outcome, SentRequest
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.job.stored_lines import line_blocks
from batchdrop.ports import ObjectStore, Writer
from batchdrop.requests.groups import Places
from batchdrop.requests.row import StoredRow

PIECE = 4 * 1024 * 1024  # ours: bytes in memory
LINES, BEGINS = "answers", "begins"  # extensions of a shard's part
_NOWHERE = -1
_NO_LINE = b"-"


def read_places(manifest: Manifest, shard: int, store: ObjectStore) -> Places | None:
    """Return where the rows of a shard stand in the file; None in a job whose shards are slices of it."""
    if not manifest.is_grouped:
        return None
    return Places(store.read(JobKeys(manifest.upload.job_id).places(shard)))


def starts_of(blocks: Sequence[ShardItem]) -> list[int]:
    """Return the first row of each block, and the end of the last one. Rows count from 0."""
    return [0, *accumulate(block.rows for block in blocks)]


def write_lines(index: AnswerIndex, places: Places, target: Writer) -> Iterator[tuple[int, int]]:
    """Write a shard's final lines in the order of the file; yield the row of each, and the bytes before it."""
    size = 0
    for one in places.by_row():
        place = places[one]
        [line] = index.lines([place.same_as])
        shared = int(place.same_as != one)
        known = (place.row, place.same_as, shared, index.last_round(place.same_as), index.attempts(place.same_as))
        record = b"%d %d %d %d %d %b\n" % (*known, _NO_LINE if line is None else line)
        yield place.row, size
        target.write(record)
        size += len(record)
    yield sys.maxsize, size


def block_begins(written: Iterable[tuple[int, int]], starts: Sequence[int]) -> bytes:
    """Return the bytes before each block's lines, and their sum, as stored: little-endian numbers."""
    begins = array("Q")
    for row, size in written:
        while len(begins) < len(starts) and row >= starts[len(begins)]:
            begins.append(size)
    if sys.byteorder == "big":
        begins.byteswap()
    return begins.tobytes()


class GroupShardAnswers(NamedTuple):
    """Where the lines of a shard are: `part_key` returns the key of a file with this extension.

    `own_id` returns the custom_id of one of its rows, `batch_id_of` the Message Batch of a round. `unanswered` is the
    outcome of its rows without a line.
    """

    part_key: Callable[[str], str]
    own_id: Callable[[int], str]
    batch_id_of: Callable[[int], str | None]
    unanswered: Outcome


class _Known(NamedTuple):
    shard: int
    own: int
    is_shared: bool
    round: int
    attempts: int


class BlockAnswers:
    """The final lines of the rows of one block. They are in `spool`; memory holds about 100 bytes a row."""

    def __init__(self, spool: BinaryIO, block: int, starts: Sequence[int], shards: Sequence[GroupShardAnswers]) -> None:
        self._spool, self._block, self._shards = spool, block, shards
        self._first, rows = starts[block], starts[block + 1] - starts[block]
        self._offsets = array("q", [_NOWHERE]) * rows
        self._lengths = array("q", [0]) * rows
        self._known: list[_Known | None] = [None] * rows

    def read(self, store: ObjectStore) -> None:
        """Read what all shards have of the block. Raises ObjectMissing."""
        end = 0
        for number, shard in enumerate(self._shards):
            begins = array("Q")
            begins.frombytes(store.read_range(shard.part_key(BEGINS), 8 * self._block, 8 * self._block + 16))
            if sys.byteorder == "big":
                begins.byteswap()
            for piece in line_blocks(_pieces(store, shard.part_key(LINES), *begins)):
                self._spool.write(piece)
                self._index(piece, end, number)
                end += len(piece)
        self._spool.flush()

    def _index(self, piece: bytes, start: int, shard: int) -> None:
        at = 0
        while at < len(piece):
            end = piece.index(b"\n", at)
            row, index, is_shared, round_number, attempts, line = piece[at:end].split(b" ", 5)
            place = int(row) - self._first
            self._known[place] = _Known(shard, int(index), is_shared == b"1", int(round_number), int(attempts))
            if line != _NO_LINE:
                self._offsets[place], self._lengths[place] = start + end - len(line), len(line)
            at = end + 1

    def lines(self, indexes: Iterable[int | None]) -> list[bytes | None]:
        """Return the line of each of these rows; None for a row without a line, and for None."""
        file, offsets, lengths, pread = self._spool.fileno(), self._offsets, self._lengths, os.pread
        return [
            None if index is None or offsets[index] == _NOWHERE else pread(file, lengths[index], offsets[index])
            for index in indexes
        ]

    def fitting(self, indexes: Iterable[int | None], most: int) -> int:
        """Return how many of the first rows have lines of at most `most` bytes together; at least 1."""
        sizes = [0 if index is None else self._lengths[index] for index in indexes]
        return max(1, sum(total <= most for total in accumulate(sizes)))

    def marked(self, rows: list[StoredRow], indexes: list[int | None]) -> list[StoredRow]:
        """Return the rows; those that share the answer of another row have `same_as`."""
        return [
            StoredRow(row.row, row.raw, row.error, row.exact, index, row.is_skipped) if self._is_shared(index) else row
            for row, index in zip(rows, indexes, strict=True)
        ]

    def own_id(self, _: StoredRow, index: int) -> str:
        """Return the custom_id of a row's request."""
        known = self._of(index)
        return self._shards[known.shard].own_id(known.own)

    def sent(self, index: int) -> SentRequest:
        """Return where the result of a row can be found."""
        known = self._of(index)
        shard = self._shards[known.shard]
        return SentRequest(shard.own_id(known.own), shard.batch_id_of(known.round), known.attempts)

    def unanswered(self, index: int) -> Outcome:
        """Return the outcome of a row without a line."""
        return self._shards[self._of(index).shard].unanswered

    def _is_shared(self, index: int | None) -> bool:
        known = None if index is None else self._known[index]
        return known is not None and known.is_shared

    def _of(self, index: int) -> _Known:
        known = self._known[index]
        assert known is not None, "each row with a request is in one shard"
        return known


def _pieces(store: ObjectStore, key: str, begin: int, end: int) -> Iterator[bytes]:
    for start in range(begin, end, PIECE):
        yield store.read_range(key, start, min(end, start + PIECE))
