"""Result lines on disk, found by row: the API sends them in any order, the output needs the rows' order."""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from itertools import accumulate
from typing import BinaryIO, TypeGuard

import msgspec

from batchdrop.answers import custom_id
from batchdrop.answers.odd_records import ODD, Record, records_of
from batchdrop.answers.outcome import SentRequest
from batchdrop.answers.result_line import UNREADABLE, ResultHead
from batchdrop.answers.verdict import Verdict
from batchdrop.finish.escalations import Escalations
from batchdrop.job.stored_lines import line_blocks
from batchdrop.ports import ObjectStore

_NOWHERE = -1
_BEGINS = {ord("{")}
_NEWLINES = re.compile(rb"\n").finditer


class AnswerIndex:
    """The result lines of one shard, over all its rounds. The lines are in `spool`; memory holds 26 bytes a row.

    A later line of a row replaces an earlier one, but an unpaid line never replaces a paid one. `foreign` counts lines
    that belong to no row of the shard. `repeated` counts second lines of a row in one round; the first line is kept,
    or the better of two live answers.
    `nameless` counts records without a custom_id, `nameless_paid` the answers among them. `broken` counts pieces of
    text that are not records, and `unsure` counts records that cannot be read.
    `borrowed_from` says where the results of borrowed lines are that may be paid.
    `perhaps_paid` counts, by row and round, the requests that may be paid although no answer shows it.
    `breaks` returns whether an answer's line breaks the recipe's `answer`; it is set only if such answers are retried.
    `refused_again` are the rows with an earlier paid answer that the account's trouble refused in the round being read.
    `limited_rounds` are the rounds, from 0, that sent a smaller `max_tokens` than the requests' own.
    `escalations` judges each paid answer, if the recipe escalates.
    """

    def __init__(
        self,
        spool: BinaryIO,
        *,
        job_id: str,
        shard: int,
        rows: int,
        breaks: Callable[[bytes], bool] | None = None,
        limited_rounds: Collection[int] = (),
        escalations: Escalations | None = None,
    ) -> None:
        self._spool = spool
        self._file = spool.fileno()
        self._own = custom_id.prefix(job_id, shard)
        self._offsets = array("q", [_NOWHERE]) * rows
        self._lengths = array("q", [0]) * rows
        self._verdicts = bytearray(rows)
        self._seen = array("H", [0]) * rows
        self._sent = array("H", [0]) * rows
        self._times_cut = bytearray(rows)
        self._shortened = bytearray(rows)  # cut by the smaller limit of a round
        self._times_invalid = bytearray(rows)
        self._hopeless = bytearray(rows)  # paid, and the retry was refused for good, or may be paid
        self._missed_after: dict[int, int] = {}  # by row that a pack missed: the rounds that had sent it by then
        self.refused_again: set[int] = set()
        self._breaks = breaks
        self._limited_rounds = limited_rounds
        self.escalations = escalations
        self._replaced: list[tuple[int, int]] = []
        self._end = 0
        self._round = 0
        self._decoder = msgspec.json.Decoder(ResultHead)
        self.found = self.paid = self.foreign = self.repeated = 0
        self.nameless = self.nameless_paid = self.broken = self.unsure = 0
        self.perhaps_paid: dict[tuple[int, int], int] = {}
        self.borrowed_from: dict[int, SentRequest] = {}

    def borrow(self, row: int, line: bytes, sent: SentRequest | None) -> None:
        """Give a row the line of an earlier shard's row. `sent` says where that one's result is, if it may be paid."""
        self._spool.write(line + b"\n")
        self._offsets[row], self._lengths[row] = self._end, len(line)
        self._end += len(line) + 1
        if sent is not None:
            self.borrowed_from[row] = sent

    def flush(self) -> None:
        """Make what was borrowed readable."""
        self._spool.flush()

    def recall(self, source: Iterable[bytes]) -> int:
        """Read remembered answers; return their number. Call it before the first round is filled.

        The job neither sent nor paid for them, so no count has them, and no rule judges them.
        """
        recalled = 0
        for block in line_blocks(source):
            heads = self._decoder.decode_lines(block)
            indexes = custom_id.indexes_after(self._own, [head.custom_id for head in heads])
            start = 0
            for index, head, found in zip(indexes, heads, _NEWLINES(block), strict=True):
                if index is not None and index < self.rows:
                    self._offsets[index], self._lengths[index] = self._end + start, found.end() - start - 1
                    self._verdicts[index] = head.verdict
                    recalled += 1
                start = found.end()
            self._spool.write(block)
            self._end += len(block)
        self._spool.flush()
        return recalled

    def fill(self, *sources: Iterable[bytes]) -> None:
        """Read one round's result lines. `found` then counts the rows with a line, `paid` those with an answer.

        Each source yields bytes, cut anywhere. A source is read after all lines before it are indexed, so it can use
        `has_line`.
        """
        self._round += 1
        self.found = self.paid = 0
        self.refused_again.clear()
        self.nameless = self.nameless_paid = self.broken = self.unsure = 0
        if self.escalations is not None:
            self.escalations.begin_round()
        for source in sources:
            for block in line_blocks(source):
                self._add_lines(block)
        self._spool.flush()

    def extend(self, source: Iterable[bytes]) -> None:
        """Read more lines of the round; a row that has a line keeps it."""
        for block in line_blocks(source):
            self._add_lines(block)
        self._spool.flush()

    def settle(self, row: int, round_number: int, line: bytes, verdict: Verdict) -> None:
        """Replace a request's line, which may be paid, by one that was read again. Rounds count from 0.

        The row is not sent again, even if its request is now known to be unpaid. Call it after all rounds are filled.
        """
        if not self.perhaps_paid.pop((row, round_number), 0):
            return
        self._spool.write(line + b"\n")
        self._spool.flush()
        if verdict >= Verdict.MISSED or self._verdicts[row] == Verdict.PERHAPS_PAID:
            self._judge(row, self._end, line, max(verdict, Verdict.NEVER), round_number + 1)
            self._hopeless[row] = True
        self._end += len(line) + 1

    def rows_perhaps_paid(self, round_number: int) -> list[int]:
        """Return the rows whose request of this round may be paid. Rounds count from 0."""
        return [row for row, number in self.perhaps_paid if number == round_number]

    def attempts(self, row: int) -> int:
        """Return the number of rounds that sent a row."""
        return self._sent[row]

    def missed(self) -> set[int]:
        """Return the rows that a pack missed, and that have no answer of their own since. They are sent alone."""
        waits = {Verdict.MISSED, Verdict.LEFTOVER, Verdict.ACCOUNT}
        rows = (row for row in self._missed_after if self._verdicts[row] in waits)
        return {row for row in rows if not self._hopeless[row]}

    def attempts_alone(self, row: int) -> int:
        """Return the number of rounds that sent a row since a pack missed it; all rounds if none did."""
        return self._sent[row] - self._missed_after.get(row, 0)

    def last_round(self, row: int) -> int:
        """Return the last round that has a line of the row. Rounds count from 0; -1 if there is none."""
        return self._seen[row] - 1

    @property
    def rows(self) -> int:
        """Return how many rows the shard has."""
        return len(self._verdicts)

    @property
    def rows_sent(self) -> int:
        """Return how many rows have a line."""
        return len(self._sent) - self._sent.count(0)

    def rows_with_line(self) -> list[int]:
        """Return the rows that have a line in the round that is being read."""
        return [row for row, seen in enumerate(self._seen) if seen == self._round]

    def fill_from(self, store: ObjectStore, key: str) -> None:
        """Read a round's result lines from the bucket. Raises ObjectMissing."""
        with closing(store.stream(key)) as blocks:
            self.fill(blocks)

    def lines(self, indexes: Iterable[int | None]) -> list[bytes | None]:
        """Return the kept line of each of these rows; None for a row without a line, and for None."""
        file, offsets, lengths, pread = self._file, self._offsets, self._lengths, os.pread
        return [
            None if index is None or offsets[index] == _NOWHERE else pread(file, lengths[index], offsets[index])
            for index in indexes
        ]

    def fitting(self, indexes: Iterable[int | None], most: int) -> int:
        """Return how many of the first rows have lines of at most `most` bytes together; at least 1."""
        sizes = [0 if index is None else self._lengths[index] for index in indexes]
        if sum(sizes) <= most:
            return len(sizes)
        return max(1, sum(total <= most for total in accumulate(sizes)))

    def verdict(self, index: int) -> Verdict:
        """Return a row's verdict."""
        return Verdict(self._verdicts[index])

    def rows_with(self, verdict: Verdict) -> list[int]:
        """Return the rows with this verdict."""
        return [index for index, known in enumerate(self._verdicts) if known == verdict]

    def cut(self) -> set[int]:
        """Return the rows whose answer is cut, and that were not yet sent with a raised limit."""
        return {row for row in self.rows_with(Verdict.CUT) if self._times_cut[row] == 1 and not self._hopeless[row]}

    def shortened(self) -> set[int]:
        """Return the rows whose answer was cut by the smaller limit of a round, and by no other limit."""
        cut = (row for row in self.rows_with(Verdict.CUT) if self._shortened[row] and not self._times_cut[row])
        return {row for row in cut if not self._hopeless[row]}

    def was_shortened(self, index: int) -> bool:
        """Return whether the smaller limit of a round cut an answer of the row."""
        return self._shortened[index] > 0

    def had_cut(self, index: int) -> bool:
        """Return whether any answer of the row was cut, by any limit."""
        return self._times_cut[index] > 0 or self._shortened[index] > 0

    def invalid(self, times: int) -> set[int]:
        """Return the rows whose answer is invalid, and that had at most `times` invalid answers."""
        rows = self.rows_with(Verdict.INVALID)
        return {row for row in rows if self._times_invalid[row] <= times and not self._hopeless[row]}

    def escalated(self, *, most: int) -> set[int]:
        """Return the rows that wait for the other model, and were sent to it in fewer than `most` rounds."""
        if self.escalations is None:
            return set()
        return {row for row in self.escalations.waiting(most=most) if not self._hopeless[row]}

    def has_line(self, index: int) -> bool:
        """Return whether the round that is being read has a line of the row."""
        return self._seen[index] == self._round

    def was_cut(self, index: int) -> bool:
        """Return whether any answer of the row was cut."""
        return self._times_cut[index] > 0

    def replaced_paid(self) -> Iterator[bytes]:
        """Yield the paid lines of rows that keep another paid line: they cost money, too."""
        return (os.pread(self._file, length, offset) for offset, length in self._replaced)

    def _add_lines(self, block: bytes) -> None:
        """Index a block of lines. One call per line would cost as much as reading it."""
        heads = self._heads(block)
        ends = [found.end() for found in _NEWLINES(block)]
        if (
            len(heads) != len(ends) or {block[0], *map(block.__getitem__, ends[:-1])} != _BEGINS
        ):  # one record on each line
            block, heads = self._taken_apart(block)
            ends = [found.end() for found in _NEWLINES(block)]
        self._spool.write(block)
        indexes = custom_id.indexes_after(self._own, [head.custom_id for head in heads])
        rows, seen, round_number = len(self._verdicts), self._seen, self._round
        start = 0
        for index, head, end in zip(indexes, heads, ends, strict=True):
            if index is None or index >= rows:
                self.foreign += 1
            elif seen[index] == round_number:
                self.repeated += 1
                self._add_repeated(index, self._end + start, block[start:end], head)
            else:
                seen[index] = round_number
                self._sent[index] += 1
                self.found += 1
                verdict = head.verdict
                self.paid += verdict >= Verdict.MISSED
                if head.missed and not self._is_second(index, round_number):
                    self._missed_after[index] = self._sent[index]
                if head.lost or verdict == Verdict.PERHAPS_PAID:
                    self.perhaps_paid[index, round_number - 1] = head.lost or 1
                    self.unsure += head.is_paid_unread
                if self._breaks is not None:
                    verdict = self._checked(verdict, block[start:end])
                if self.escalations is None:
                    self._add(index, self._end + start, end - start - 1, verdict)
                else:
                    self.escalations.sent(index, round_number, verdict, is_missed=bool(head.missed))
                    self._judge(index, self._end + start, block[start : end - 1], verdict, round_number)
            start = end
        self._end += start

    def _heads(self, block: bytes) -> list[ResultHead]:
        """Return the heads of a block's lines; none if any of its records is odd."""
        try:
            return self._decoder.decode_lines(block)
        except ODD:
            return []

    def _taken_apart(self, block: bytes) -> tuple[bytes, list[ResultHead]]:
        """Read an odd block line by line. Return its readable lines, one for each record, and their heads."""
        lines: list[bytes] = []
        heads: list[ResultHead] = []
        for line in filter(bytes.strip, block.split(b"\n")):
            try:
                heads.append(self._decoder.decode(line))
                lines.append(line)
            except ODD:
                for record in records_of(line):
                    if self._is_named(record):
                        heads.append(record.head)
                        lines.append(record.line)
        return b"".join([line + b"\n" for line in lines]), heads

    def _is_named(self, record: Record | None) -> TypeGuard[Record]:
        """Count an odd record. Return whether it says which row it belongs to."""
        if record is None:
            self.broken += 1
            return False
        self.unsure += record.head.result.type == UNREADABLE
        if record.head.custom_id:
            return True
        self.nameless += 1
        self.nameless_paid += record.head.verdict >= Verdict.MISSED
        return False

    def _checked(self, verdict: Verdict, line: bytes) -> Verdict:
        """Return INVALID for an answer that breaks the recipe's `answer`, else the verdict."""
        is_broken = verdict == Verdict.ANSWERED and self._breaks is not None and self._breaks(line)
        return Verdict.INVALID if is_broken else verdict

    def _add_repeated(self, index: int, offset: int, line: bytes, head: ResultHead) -> None:
        """Add a second answer in the live lane, where two workers sent the row and both answers are billed.

        The better one is kept. A line that a Message Batch repeats is a copy, and is billed once. It counts only if the
        first one cannot be read as an answer.
        """
        is_worse = self._verdicts[index] < head.verdict == Verdict.PERHAPS_PAID
        if head.lost or is_worse:
            key = index, self._round - 1
            self.perhaps_paid[key] = self.perhaps_paid.get(key, 0) + (head.lost or 1)
        if is_worse:
            self._judge(index, offset, line[:-1], head.verdict, self._round)
        if head.verdict >= Verdict.MISSED and (head.is_live or self._verdicts[index] < Verdict.MISSED):
            self.paid += self._verdicts[index] < Verdict.MISSED
            if not head.is_live:
                self.perhaps_paid.pop((index, self._round - 1), None)
            verdict = self._checked(head.verdict, line)
            if verdict > self._verdicts[index]:
                self._judge(index, offset, line[:-1], verdict, self._round)
            else:
                self._replaced.append((offset, len(line) - 1))

    def _judge(self, index: int, offset: int, line: bytes, verdict: Verdict, round_number: int) -> None:
        """Add a line of a round, from 1, unless it is a second answer that is worse than the first."""
        judge = self.escalations if verdict >= Verdict.CUT else None
        stays = verdict == Verdict.MISSED and self._is_second(index, round_number)
        if stays or (judge is not None and judge.keeps_first(index, round_number, line)):
            self._replaced.append((offset, len(line)))
        else:
            self._add(index, offset, len(line), verdict)

    def _is_second(self, index: int, round_number: int) -> bool:
        return self.escalations is not None and self.escalations.is_second(index, round_number)

    def _add(self, index: int, offset: int, length: int, verdict: Verdict) -> None:
        if self._verdicts[index] >= Verdict.MISSED:
            if verdict < Verdict.MISSED:
                if verdict == Verdict.ACCOUNT:
                    self.refused_again.add(index)
                self._hopeless[index] |= verdict >= Verdict.NEVER
                return
            self._replaced.append((self._offsets[index], self._lengths[index]))
        if verdict == Verdict.CUT:
            self._count_cut(index)
        elif verdict == Verdict.INVALID:
            self._times_invalid[index] += 1
        self._offsets[index], self._lengths[index], self._verdicts[index] = offset, length, verdict

    def _count_cut(self, index: int) -> None:
        """Count a cut answer. A limited round sends rows that were cut before with their own `max_tokens`."""
        if self._round - 1 in self._limited_rounds and not self.had_cut(index):
            self._shortened[index] = 1
        else:
            self._times_cut[index] += 1
