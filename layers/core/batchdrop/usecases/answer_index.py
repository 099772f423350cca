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
SPOOLED_TOGETHER = 256  # lines, and their ends


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
        pending: list[bytes] = []  # a write a line would cost as much as reading the line
        for line in lines:
            if line.strip():
                self._note(line)
                pending += (line, b"\n")
                self._end += len(line) + 1
                if len(pending) >= SPOOLED_TOGETHER:
                    self._spool.write(b"".join(pending))
                    pending.clear()
        self._spool.write(b"".join(pending))
        self._spool.flush()

    def line(self, index: int) -> bytes | None:
        """Return the last word on the shard's row `index`; None if there is none."""
        offset = self._offsets[index]
        return None if offset == _NOWHERE else self._read(offset, self._lengths[index])

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
        return (self._read(offset, length) for offset, length in self._replaced)

    def _read(self, offset: int, length: int) -> bytes:
        return os.pread(self._spool.fileno(), length, offset)

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
            self._place(index, len(line), self._checked(word, line))

    def _repeat(self, index: int, length: int, head: ResultHead) -> None:
        """Count a second answer of the live lane: two workers were paid for it. A Message Batch only repeats itself."""
        if head.word >= Word.CUT and head.is_live:
            if self._words[index] < Word.CUT:
                self._place(index, length, head.word)
            else:
                self._replaced.append((self._end, length))

    def _checked(self, word: Word, line: bytes) -> Word:
        is_invalid = self._breaks is not None and word == Word.ANSWERED and self._breaks(line)
        return Word.INVALID if is_invalid else word

    def _place(self, index: int, length: int, word: Word) -> None:
        is_paid, was_paid = word >= Word.CUT, self._words[index] >= Word.CUT
        if was_paid and not is_paid:
            self._hopeless[index] |= word == Word.NEVER
            return
        if was_paid:
            self._replaced.append((self._offsets[index], self._lengths[index]))
        self._times_cut[index] += word == Word.CUT
        self._times_invalid[index] += word == Word.INVALID
        self._offsets[index], self._lengths[index], self._words[index] = self._end, length, word
