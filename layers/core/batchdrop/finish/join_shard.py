"""Join a shard: write each input row, in order, with its outcome. Memory does not grow with the shard."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any

import msgspec

from batchdrop.answers import custom_id
from batchdrop.answers.odd_records import ODD, heads_of, read_line
from batchdrop.answers.outcome import PERHAPS_PAID, Outcome, of_result, rejected, skipped
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

JoinedRows = tuple[list[StoredRow], list[Outcome]]  # a chunk of a shard


def joined_rows(
    job_id: str,
    item: ShardItem,
    *,
    store: ObjectStore,
    formats: JobFormats,
    results: AnswerIndex,
    unanswered: Outcome,
    batch_id_of: BatchIdOf,
    prices: PriceTable,
) -> Generator[JoinedRows, None, None]:
    """Yield a shard's rows in order, in chunks, each with its outcome.

    `unanswered` is the outcome of rows without a result.
    """
    keys, own = JobKeys(job_id), custom_id.prefix(job_id, item.shard)
    outcomes_of = _Outcomes(unanswered, formats.shape)
    columns = formats.shape.columns
    added = AddedColumns(columns.wanted, own, prices) if columns.wanted else None
    with closing(store.stream(keys.rows(item.shard))) as blocks:
        for rows, wanted in _chunks(blocks, results):
            lines = results.lines(wanted)
            outcomes = outcomes_of(rows, lines)
            if added is not None:
                outcomes = added.fill(rows, wanted, lines, outcomes)
            for place, outcome in enumerate(outcomes):
                if outcome.status in PERHAPS_PAID:
                    sent = sent_request(own, wanted[place] or 0, results, batch_id_of)
                    outcomes[place] = msgspec.structs.replace(outcome, request=sent)
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
    counted = RowsCounted(tally.statistics, counted_columns(formats.shape), cells_of=formats.reader.cells)
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
) -> Tally:
    """Write the parts of a shard, with the outcomes of `results`; return its tally, replaced answers included."""
    parts: dict[str, Any] = {"store": store, "formats": formats}
    rows = joined_rows(
        job_id, item, **parts, results=results, unanswered=unanswered, batch_id_of=batch_id_of, prices=prices
    )
    with closing(rows):
        tally = write_part(rows, item, **parts, sidecar_key=JobKeys(job_id).sidecar(item.shard), part_key=part_key)
    for line in results.replaced_paid():
        tally.add_paid([message for head in heads_of(line) if (message := head.result.message)])
    return tally


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


def _chunks(blocks: Iterable[bytes], results: AnswerIndex) -> Iterator[tuple[list[StoredRow], list[int | None]]]:
    """Yield chunks of rows. Each row comes with the index of the row whose result it gets; None for a reject."""
    decoder = msgspec.json.Decoder(StoredRow)
    first = 0
    for block in line_blocks(blocks):
        rows = decoder.decode_lines(block)
        wanted = [
            None if row.error is not None else index if row.same_as is None else row.same_as
            for index, row in enumerate(rows, first)
        ]
        first += len(rows)
        at = 0
        while at < len(rows):
            end = at + results.fitting(wanted[at : at + ROWS_TOGETHER], BYTES_TOGETHER)
            yield rows[at:end], wanted[at:end]
            at = end


def _count(rows: list[StoredRow], outcomes: list[Outcome], tally: Tally) -> None:
    shared = [outcome for row, outcome in zip(rows, outcomes, strict=True) if row.same_as is not None]
    if not shared:
        tally.add(outcomes)
        return
    tally.add([outcome for row, outcome in zip(rows, outcomes, strict=True) if row.same_as is None])
    tally.add(shared, are_shared=True)


class _Outcomes:
    """Makes the outcomes of rows from their result lines."""

    def __init__(self, unanswered: Outcome, shape: AnswerShape) -> None:
        self._unanswered = unanswered
        self._shape = shape
        self._decoder = msgspec.json.Decoder(ResultLine)

    def __call__(self, rows: list[StoredRow], lines: list[bytes | None]) -> list[Outcome]:
        found = [line for line in lines if line is not None]
        outcomes = self._of_lines(found)
        if len(found) == len(rows):
            return outcomes
        left = iter(outcomes)
        return [next(left) if line is not None else self._unsent(row) for row, line in zip(rows, lines, strict=True)]

    def _unsent(self, row: StoredRow) -> Outcome:
        if row.error is None:
            return self._unanswered
        return skipped(row.error) if row.is_skipped else rejected(row.error)

    def _of_lines(self, lines: list[bytes]) -> list[Outcome]:
        try:
            results = self._decoder.decode_lines(b"\n".join(lines))
        except ODD:
            return [self._of_line(line) for line in lines]
        return [of_result(line.result, self._shape, seconds=line.seconds) for line in results]

    def _of_line(self, line: bytes) -> Outcome:
        result_line = read_line(line)
        return of_result(result_line.result, self._shape, seconds=result_line.seconds)
