"""Results on disk, found by row: the API gives them in any order, the output needs them in the rows' order."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import msgspec

from batchdrop.domain import custom_id
from batchdrop.domain.last_word import ResultHead, Word
from batchdrop.errors import ResultsIncomplete

_NOWHERE = -1
SPOOLED_TOGETHER = 128  # lines; a write a line would cost as much as reading the line


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
        self._words = bytearray(rows)
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

    def fill(self, lines: Iterable[bytes]) -> None:
        """Take in one round's result lines, and count in `found` the rows that have one, in `paid` the answers.

        Raises ResultsIncomplete for a line cut short; the round is then to be filled in anew, into a new index.
        """
        self._round += 1
        self.found = self.paid = 0
        pending: list[bytes] = []
        for line in lines:
            if line.strip():
                self._note(line)
                pending.append(line)
                self._end += len(line) + 1
                if len(pending) >= SPOOLED_TOGETHER:
                    self._write(pending)
        self._write(pending)
        self._spool.flush()

    def line(self, index: int) -> bytes | None:
        """Return the last word on the shard's row `index`; None if there is none."""
        offset = self._offsets[index]
        return None if offset == _NOWHERE else os.pread(self._file, self._lengths[index], offset)

    def word(self, index: int) -> Word:
        """Return what the last word on a row says."""
        return Word(self._words[index])

    def rows_with(self, word: Word) -> list[int]:
        """Return the rows of which this is the last word."""
        return [index for index, known in enumerate(self._words) if known == word]

    def cut(self) -> set[int]:
        """Return the rows whose answer is cut, and that were not asked with a raised limit yet."""
        return {row for row in self.rows_with(Word.CUT) if self._times_cut[row] == 1 and not self._hopeless[row]}

    def invalid(self, times: int) -> set[int]:
        """Return the rows whose answer is invalid, and that were so at most that often."""
        rows = self.rows_with(Word.INVALID)
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

    def _write(self, lines: list[bytes]) -> None:
        self._spool.write(b"\n".join((*lines, b"")))
        lines.clear()

    def _note(self, line: bytes) -> None:
        try:
            head = self._decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            message = f"result line {self.found + self.foreign + self.repeated + 1} is cut or broken: {error}"
            raise ResultsIncomplete(message) from error
        index = custom_id.index_after(self._own, head.custom_id)
        if index is None or index >= len(self._words):
            self.foreign += 1
        elif self._seen[index] == self._round:
            self.repeated += 1
            self._repeat(index, len(line), head)
        else:
            word = head.word
            self._seen[index] = self._round
            self.found += 1
            self.paid += word >= Word.CUT
            if self._breaks is not None and word == Word.ANSWERED and self._breaks(line):
                word = Word.INVALID
            self._place(index, len(line), word)

    def _repeat(self, index: int, length: int, head: ResultHead) -> None:
        """Count a second answer of the live lane: two workers were paid for it. A Message Batch only repeats itself."""
        if head.word >= Word.CUT and head.is_live:
            if self._words[index] < Word.CUT:
                self._place(index, length, head.word)
            else:
                self._replaced.append((self._end, length))

    def _place(self, index: int, length: int, word: Word) -> None:
        if self._words[index] >= Word.CUT:
            if word < Word.CUT:
                self._hopeless[index] |= word == Word.NEVER
                return
            self._replaced.append((self._offsets[index], self._lengths[index]))
        if word == Word.CUT:
            self._times_cut[index] += 1
        elif word == Word.INVALID:
            self._times_invalid[index] += 1
        self._offsets[index], self._lengths[index], self._words[index] = self._end, length, word
