"""Join a shard: write each input row, in order, with its outcome. Memory does not grow with the shard."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Protocol

import msgspec

from batchdrop.answers import custom_id
from batchdrop.answers.odd_records import ODD, heads_of, read_line
from batchdrop.answers.outcome import PERHAPS_PAID, Outcome, SentRequest, of_result, rejected, remembered, skipped
from batchdrop.answers.result_line import ResultLine
from batchdrop.answers.shape import AnswerShape
from batchdrop.finish.added_columns import AddedColumns
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.perhaps_paid import BatchIdOf, sent_request
from batchdrop.job.job_files import JobFormats
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import ShardItem
from batchdrop.job.ports import OutputFormat, PartWriter
from batchdrop.job.stored_lines import line_blocks
from batchdrop.job.stored_source import StoredSource
from batchdrop.money.prices import PriceTable
from batchdrop.ports import ObjectStore, Source
from batchdrop.report.countable_columns import counted_columns
from batchdrop.report.statistics import RowsCounted
from batchdrop.report.tally import Tally
from batchdrop.requests.row import StoredRow

ROWS_TOGETHER = 128  # rows in a chunk: one call per row would cost as much as the step itself
BYTES_TOGETHER = 2 * 1024 * 1024  # result bytes in a chunk, unless a single result has more

NO_RESULT = "the API returned no result for this row"

JoinedRows = tuple[list[StoredRow], list[Outcome]]  # a chunk of a shard


class RowResults(Protocol):
    """The final result lines of some rows, by the rows' indexes."""

    def lines(self, indexes: Iterable[int | None]) -> list[bytes | None]:
        """Return the line of each of these rows; None for a row without a line, and for None."""

    def fitting(self, indexes: Iterable[int | None], most: int) -> int:
        """Return how many of the first rows have lines of at most `most` bytes together; at least 1."""

    def marked(self, rows: list[StoredRow], indexes: list[int | None]) -> list[StoredRow]:
        """Return the rows; those that share the answer of another row have its index in `same_as`."""

    def own_id(self, row: StoredRow, index: int) -> str:
        """Return the custom_id of the request whose answer a row gets."""

    def sent(self, index: int) -> SentRequest:
        """Return where the result of a row can be found."""

    def unanswered(self, index: int) -> Outcome:
        """Return the outcome of a row without a line."""


class ShardResults:
    """The results of one shard."""

    def __init__(
        self, index: AnswerIndex, job_id: str, shard: int, unanswered: Outcome, batch_id_of: BatchIdOf
    ) -> None:
        self._index, self._job_id, self._unanswered, self._batch_id_of = index, job_id, unanswered, batch_id_of
        self._own = custom_id.prefix(job_id, shard)
        self.lines, self.fitting = index.lines, index.fitting

    def marked(self, rows: list[StoredRow], _: list[int | None]) -> list[StoredRow]:
        """Return the rows as they are stored."""
        return rows

    def own_id(self, row: StoredRow, index: int) -> str:
        """Return the custom_id of the request whose answer a row gets; another shard may have sent it."""
        if row.same_shard is None or row.same_as is None:
            return custom_id.after(self._own, index)
        return custom_id.after(custom_id.prefix(self._job_id, row.same_shard), row.same_as)

    def sent(self, index: int) -> SentRequest:
        """Return where the result of a row can be found."""
        return self._index.borrowed_from.get(index) or sent_request(self._own, index, self._index, self._batch_id_of)

    def unanswered(self, _: int) -> Outcome:
        """Return the outcome of a row without a line."""
        return self._unanswered


def joined_rows(
    rows_key: str, results: RowResults, *, store: ObjectStore, formats: JobFormats, prices: PriceTable
) -> Generator[JoinedRows, None, None]:
    """Yield the rows of an object in order, in chunks, each with its outcome."""
    outcomes_of = _Outcomes(results, formats.shape)
    columns = formats.shape.columns
    added = AddedColumns(columns.wanted, results.own_id, prices) if columns.wanted else None
    with closing(store.stream(rows_key)) as blocks:
        for stored, wanted in _chunks(blocks, results):
            lines, rows = results.lines(wanted), results.marked(stored, wanted)
            outcomes = outcomes_of(rows, wanted, lines)
            if added is not None:
                outcomes = added.fill(rows, wanted, lines, outcomes)
            for place, outcome in enumerate(outcomes):
                if outcome.status in PERHAPS_PAID:
                    outcomes[place] = msgspec.structs.replace(outcome, request=results.sent(wanted[place] or 0))
            yield rows, outcomes


def write_part(
    chunks: Iterable[JoinedRows],
    item: ShardItem,
    *,
    sidecar_key: str,
    store: ObjectStore,
    formats: JobFormats,
    part_key: Callable[[str], str],
) -> Tally:
    """Write a shard's output, its failed rows, and its rows that may be paid; return its tally.

    `part_key` returns the key of a file with this extension. The part of rows that may be paid is written only if there
    are any. Raises InvariantBroken if a row is missing.
    """
    tally = Tally()
    counted = RowsCounted(
        tally.statistics, counted_columns(formats.shape), cells_of=formats.reader.cells, gold=formats.shape.gold
    )
    sidecar = _sidecar(formats, store, sidecar_key)
    with (
        store.writer(part_key(formats.output.extension)) as part_file,
        formats.output.part(part_file, sidecar) as part,
        store.writer(part_key(formats.failed.extension)) as failed_file,
        formats.failed.part(failed_file, None) as failed_part,
        ExitStack() as opened,
    ):
        perhaps_paid = _PartIfNeeded(formats.perhaps_paid, part_key, store, opened)
        for rows, outcomes in chunks:
            _count(rows, outcomes, tally)
            counted.add(rows, outcomes)
            part.add(rows, outcomes)
            failing = [place for place, outcome in enumerate(outcomes) if outcome.fate != "answered"]
            if not failing:
                continue
            unsure = [place for place in failing if outcomes[place].status in PERHAPS_PAID]
            _add_some(failed_part, rows, outcomes, [place for place in failing if place not in unsure])
            _add_some(perhaps_paid, rows, outcomes, unsure)
        tally.check(rows=item.rows, where=f"shard {item.shard}")
    counted.end()
    return tally


def join_shard(
    job_id: str,
    item: ShardItem,
    *,
    store: ObjectStore,
    formats: JobFormats,
    results: AnswerIndex,
    unanswered: Outcome,
    part_key: Callable[[str], str],
    batch_id_of: BatchIdOf,
    prices: PriceTable,
    noted: AnsweredRows | None = None,
) -> Tally:
    """Write the parts of a shard, with the outcomes of `results`; return its tally, replaced answers included.

    `noted` gets the rows that the job's own requests answered.
    """
    keys = JobKeys(job_id)
    own = ShardResults(results, job_id, item.shard, unanswered, batch_id_of)
    rows = joined_rows(keys.rows(item.shard), own, store=store, formats=formats, prices=prices)
    with closing(rows):
        chunks = rows if noted is None else noted.of(rows)
        tally = write_part(
            chunks, item, store=store, formats=formats, sidecar_key=keys.sidecar(item.shard), part_key=part_key
        )
    add_replaced(tally, results)
    return tally


def add_replaced(tally: Tally, results: AnswerIndex) -> None:
    """Count the tokens of the answers that later ones replaced."""
    for line in results.replaced_paid():
        tally.add_paid([message for head in heads_of(line) if (message := head.result.message)])


class AnsweredRows:
    """Which rows of a shard were answered by a request of their own: a byte a row, 1 for yes.

    `subjects` has the ids of the rows' subjects, as `subject_of` returns them.
    """

    def __init__(self, rows: int, subject_of: Callable[[StoredRow], str] | None = None) -> None:
        self.rows = bytearray(rows)
        self.subjects: dict[int, str] = {}
        self._subject_of = subject_of

    def of(self, chunks: Iterable[JoinedRows]) -> Iterator[JoinedRows]:
        """Yield the chunks, and note their rows."""
        first = 0
        for rows, outcomes in chunks:
            own = [
                outcome.status == "answered" and row.same_as is None
                for row, outcome in zip(rows, outcomes, strict=True)
            ]
            self.rows[first : first + len(own)] = bytes(own)
            if self._subject_of is not None:
                self.subjects |= {
                    index: subject
                    for index, (row, is_own) in enumerate(zip(rows, own, strict=True), first)
                    if is_own and (subject := self._subject_of(row))
                }
            first += len(own)
            yield rows, outcomes


class _PartIfNeeded:
    """A part that is begun when it gets its first row."""

    def __init__(
        self, output: OutputFormat, part_key: Callable[[str], str], store: ObjectStore, opened: ExitStack
    ) -> None:
        self._output = output
        self._key = part_key(output.extension)
        self._store = store
        self._opened = opened
        self._part: PartWriter | None = None

    def add(self, rows: Sequence[StoredRow], outcomes: Sequence[Outcome]) -> None:
        if self._part is None:
            file = self._opened.enter_context(self._store.writer(self._key))
            self._part = self._opened.enter_context(self._output.part(file, None))
        self._part.add(rows, outcomes)


def _add_some(part: PartWriter, rows: list[StoredRow], outcomes: list[Outcome], places: list[int]) -> None:
    if places:
        part.add([rows[place] for place in places], [outcomes[place] for place in places])


def _sidecar(formats: JobFormats, store: ObjectStore, key: str) -> Source | None:
    return None if formats.reader.sidecar is None else StoredSource(store, key)


def _chunks(blocks: Iterable[bytes], results: RowResults) -> Iterator[tuple[list[StoredRow], list[int | None]]]:
    """Yield chunks of rows. Each row comes with the index of the row whose result it gets; None for a reject."""
    decoder = msgspec.json.Decoder(StoredRow)
    first = 0
    for block in line_blocks(blocks):
        rows = decoder.decode_lines(block)
        wanted = [
            None
            if row.error is not None
            else index
            if row.same_as is None or row.same_shard is not None
            else row.same_as
            for index, row in enumerate(rows, first)
        ]
        first += len(rows)
        at = 0
        while at < len(rows):
            end = at + results.fitting(wanted[at : at + ROWS_TOGETHER], BYTES_TOGETHER)
            yield rows[at:end], wanted[at:end]
            at = end


def _count(rows: list[StoredRow], outcomes: list[Outcome], tally: Tally) -> None:
    each = [*zip(rows, outcomes, strict=True)]
    shared = [outcome for row, outcome in each if row.same_as is not None and not row.is_drawn]
    drawn = [outcome for row, outcome in each if row.is_drawn]
    if not shared and not drawn:
        tally.add(outcomes)
        return
    tally.add([outcome for row, outcome in each if row.same_as is None])
    tally.add(shared, are_shared=True)
    if drawn:
        tally.add_drawn(drawn)


class _Outcomes:
    """Makes the outcomes of rows from their result lines."""

    def __init__(self, results: RowResults, shape: AnswerShape) -> None:
        self._unanswered = results.unanswered
        self._shape = shape
        self._decoder = msgspec.json.Decoder(ResultLine)

    def __call__(self, rows: list[StoredRow], wanted: list[int | None], lines: list[bytes | None]) -> list[Outcome]:
        found = [line for line in lines if line is not None]
        outcomes = self._of_lines(found)
        if len(found) == len(rows):
            return outcomes
        left = iter(outcomes)
        each = zip(rows, wanted, lines, strict=True)
        return [next(left) if line is not None else self._unsent(row, index) for row, index, line in each]

    def _unsent(self, row: StoredRow, index: int | None) -> Outcome:
        if row.error is None:
            return self._unanswered(index or 0)
        return skipped(row.error) if row.is_skipped else rejected(row.error)

    def _of_lines(self, lines: list[bytes]) -> list[Outcome]:
        try:
            results = self._decoder.decode_lines(b"\n".join(lines))
        except ODD:
            return [self._of_line(line) for line in lines]
        return [*map(self._of_result_line, results)]

    def _of_line(self, line: bytes) -> Outcome:
        return self._of_result_line(read_line(line))

    def _of_result_line(self, line: ResultLine) -> Outcome:
        outcome = of_result(line.result, self._shape, seconds=line.seconds)
        return outcome if line.remembered is None else remembered(outcome)
