"""Results on disk, found by row: the API gives them in any order, the output needs them in the rows' order."""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import accumulate
from typing import BinaryIO

import msgspec

from batchdrop.answers import custom_id
from batchdrop.answers.result_line import ResultHead
from batchdrop.answers.verdict import Verdict
from batchdrop.errors import ResultsIncomplete
from batchdrop.job.stored_lines import line_blocks
from batchdrop.ports import ObjectStore

_NOWHERE = -1
_NEWLINES = re.compile(rb"\n").finditer


class AnswerIndex:
    """One shard's result lines, round after round: the lines stay in `spool`, memory holds 21 bytes a row.

    A later line replaces an earlier one of its row, but an unpaid line never replaces a paid one. `foreign` counts
    lines of no row of the shard, `repeated` second lines of a row in one round (the first one counts). `breaks` tells
    of an answer's line whether it breaks what the recipe wants; only needed where such answers are asked again.
    """

    def __init__(
        self, spool: BinaryIO, *, job_id: str, shard: int, rows: int, breaks: Callable[[bytes], bool] | None = None
    ) -> None:
        self._spool = spool
        self._file = spool.fileno()
        self._own = custom_id.prefix(job_id, shard)
        self._offsets = array("q", [_NOWHERE]) * rows
        self._lengths = array("q", [0]) * rows
        self._verdicts = bytearray(rows)
        self._seen = bytearray(rows)
        self._times_cut = bytearray(rows)
        self._times_invalid = bytearray(rows)
        self._hopeless = bytearray(rows)  # paid, and asking again was refused for good
        self._breaks = breaks
        self._replaced: list[tuple[int, int]] = []
        self._end = 0
        self._round = 0
        self._decoder = msgspec.json.Decoder(ResultHead)
        self.found = self.paid = self.foreign = self.repeated = 0

    def fill(self, *sources: Iterable[bytes]) -> None:
        """Take in one round's result lines, and count in `found` the rows that have one, in `paid` the answers.

        Each source yields bytes, cut anywhere; it is asked for them when all before it are taken in. Raises
        ResultsIncomplete for a line cut short; the round is then to be filled in anew, into a new index.
        """
        self._round += 1
        self.found = self.paid = 0
        for source in sources:
            for block in line_blocks(source):
                self._take(block)
        self._spool.flush()

    def fill_from(self, store: ObjectStore, key: str) -> None:
        """Take in a round whose result lines are in the bucket. Raises ObjectMissing, and what `fill` raises."""
        with closing(store.stream(key)) as blocks:
            self.fill(blocks)

    def lines(self, indexes: Iterable[int | None]) -> list[bytes | None]:
        """Return the last word on each of the shard's rows; None for one that has none, and for None."""
        file, offsets, lengths, pread = self._file, self._offsets, self._lengths, os.pread
        return [
            None if index is None or offsets[index] == _NOWHERE else pread(file, lengths[index], offsets[index])
            for index in indexes
        ]

    def fitting(self, indexes: Iterable[int | None], most: int) -> int:
        """Return for how many of the first rows `lines` reads at most so many bytes together; at least 1."""
        sizes = [0 if index is None else self._lengths[index] for index in indexes]
        if sum(sizes) <= most:
            return len(sizes)
        return max(1, sum(total <= most for total in accumulate(sizes)))

    def verdict(self, index: int) -> Verdict:
        """Return a row's verdict."""
        return Verdict(self._verdicts[index])

    def rows_with(self, verdict: Verdict) -> list[int]:
        """Return the rows of which this is the last verdict."""
        return [index for index, known in enumerate(self._verdicts) if known == verdict]

    def cut(self) -> set[int]:
        """Return the rows whose answer is cut, and that were not asked with a raised limit yet."""
        return {row for row in self.rows_with(Verdict.CUT) if self._times_cut[row] == 1 and not self._hopeless[row]}

    def invalid(self, times: int) -> set[int]:
        """Return the rows whose answer is invalid, and that were so at most that often."""
        rows = self.rows_with(Verdict.INVALID)
        return {row for row in rows if self._times_invalid[row] <= times and not self._hopeless[row]}

    def has_line(self, index: int) -> bool:
        """Tell whether the round that is being filled in has a line of the row."""
        return self._seen[index] == self._round

    def was_cut(self, index: int) -> bool:
        """Tell whether any answer of the row was cut."""
        return self._times_cut[index] > 0

    def replaced_paid(self) -> Iterator[bytes]:
        """Yield the paid lines that a later paid one replaced: they cost money, too."""
        return (os.pread(self._file, length, offset) for offset, length in self._replaced)

    def _take(self, block: bytes) -> None:
        """Take in lines, many at once: a call a line would cost as much as reading it."""
        heads = self._heads(block)
        ends = [found.end() for found in _NEWLINES(block)]
        if len(heads) < len(ends):
            self._take(b"".join([line + b"\n" for line in block.split(b"\n") if line.strip()]))
            return
        self._spool.write(block)
        indexes = custom_id.indexes_after(self._own, [head.custom_id for head in heads])
        rows, seen, round_number = len(self._verdicts), self._seen, self._round
        start = 0
        for index, head, end in zip(indexes, heads, ends, strict=True):
            if index is None or index >= rows:
                self.foreign += 1
            elif seen[index] == round_number:
                self.repeated += 1
                self._repeat(index, self._end + start, end - start - 1, head)
            else:
                seen[index] = round_number
                self.found += 1
                verdict = head.verdict
                self.paid += verdict >= Verdict.CUT
                if self._breaks is not None and verdict == Verdict.ANSWERED and self._breaks(block[start:end]):
                    verdict = Verdict.INVALID
                self._place(index, self._end + start, end - start - 1, verdict)
            start = end
        self._end += start

    def _heads(self, block: bytes) -> list[ResultHead]:
        try:
            return self._decoder.decode_lines(block)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            so_far = self.found + self.foreign + self.repeated
            message = f"a result line after the first {so_far:,} is cut or broken: {error}"
            raise ResultsIncomplete(message) from error

    def _repeat(self, index: int, offset: int, length: int, head: ResultHead) -> None:
        """Count a second answer of the live lane: two workers were paid for it. A Message Batch only repeats itself."""
        if head.verdict >= Verdict.CUT and head.is_live:
            if self._verdicts[index] < Verdict.CUT:
                self._place(index, offset, length, head.verdict)
            else:
                self._replaced.append((offset, length))

    def _place(self, index: int, offset: int, length: int, verdict: Verdict) -> None:
        if self._verdicts[index] >= Verdict.CUT:
            if verdict < Verdict.CUT:
                self._hopeless[index] |= verdict == Verdict.NEVER
                return
            self._replaced.append((self._offsets[index], self._lengths[index]))
        if verdict == Verdict.CUT:
            self._times_cut[index] += 1
        elif verdict == Verdict.INVALID:
            self._times_invalid[index] += 1
        self._offsets[index], self._lengths[index], self._verdicts[index] = offset, length, verdict
