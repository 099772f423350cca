"""Join a shard: each input row, in order, with its outcome. Memory does not grow with the shard."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import TypeVar

import msgspec

from batchdrop.domain.answer_shape import AnswerShape
from batchdrop.domain.counted_columns import counted_columns
from batchdrop.domain.layout import JobKeys
from batchdrop.domain.manifest import ShardItem
from batchdrop.domain.outcome import Outcome, failed, of_result, rejected
from batchdrop.domain.result import ResultLine, Succeeded
from batchdrop.domain.row import StoredRow
from batchdrop.domain.statistics import RowsCounted
from batchdrop.domain.tally import Tally
from batchdrop.ports import ObjectStore, Source
from batchdrop.usecases.job_files import JobFormats
from batchdrop.usecases.stored_lines import whole_lines
from batchdrop.usecases.stored_source import StoredSource

Line = TypeVar("Line")
ResultOf = Callable[[int], bytes | None]  # the row's index in its shard -> its result line


def join_shard(
    job_id: str,
    item: ShardItem,
    *,
    store: ObjectStore,
    formats: JobFormats,
    result_of: ResultOf,
    unanswered: Outcome,
    paid_before: Iterable[bytes],
    part_key: Callable[[str], str],
) -> Tally:
    """Write a shard's output and its failed rows; return its tally.

    `unanswered` is the outcome of rows that have no result; `paid_before` are result lines that later ones replaced,
    whose tokens cost money all the same. `part_key` gives the key of a file by its extension. Raises InvariantBroken if
    a row is missing.
    """
    keys = JobKeys(job_id)
    tally = Tally()
    counted = RowsCounted(tally.statistics, counted_columns(formats.shape), cells_of=formats.reader.cells)
    outcome_of = _Outcomes(result_of, unanswered, formats.shape)
    sidecar = _sidecar(formats, store, keys.sidecar(item.shard))
    with (
        closing(store.stream(keys.rows(item.shard))) as blocks,
        store.writer(part_key(formats.output.extension)) as part_file,
        formats.output.part(part_file, sidecar) as part,
        store.writer(part_key(formats.failed.extension)) as failed_file,
        formats.failed.part(failed_file, None) as failed_part,
    ):
        rows = msgspec.json.Decoder(StoredRow)
        for index, line in enumerate(whole_lines(blocks)):
            row = rows.decode(line)
            outcome = outcome_of(index, row)
            tally.add(outcome, is_shared=row.same_as is not None)
            counted.add(row, outcome, outcome_of.seconds)
            part.add(row, outcome)
            if outcome.fate != "answered":
                failed_part.add(row, outcome)
        tally.check(rows=item.rows, where=f"shard {item.shard}")
    counted.end()
    paid_lines = msgspec.json.Decoder(PaidLine)
    for line in paid_before:
        tally.add_paid(_decoded(line, paid_lines).result.message)
    return tally


def _sidecar(formats: JobFormats, store: ObjectStore, key: str) -> Source | None:
    return None if formats.reader.sidecar is None else StoredSource(store, key)


class PaidLine(msgspec.Struct):
    """A result line of which it is known that it is an answer."""

    result: Succeeded


def _decoded(line: bytes, lines: msgspec.json.Decoder[Line]) -> Line:
    """Decode a result line; bytes that are no UTF-8 become U+FFFD, for the answer around them was paid."""
    try:
        return lines.decode(line)
    except UnicodeDecodeError:
        return lines.decode(line.decode(errors="replace"))


class _Outcomes:
    """Decides each row's outcome from its result line. `seconds` is how long the last answer took, where it says so."""

    def __init__(self, result_of: ResultOf, unanswered: Outcome, shape: AnswerShape) -> None:
        self.seconds: float | None = None
        self._result_of = result_of
        self._unanswered = unanswered
        self._shape = shape
        self._decoder = msgspec.json.Decoder(ResultLine)

    def __call__(self, index: int, row: StoredRow) -> Outcome:
        if row.error is not None:
            return rejected(row.error)
        line = self._result_of(index if row.same_as is None else row.same_as)
        if line is None:
            return self._unanswered
        try:
            result_line = _decoded(line, self._decoder)
            self.seconds = result_line.seconds
            return of_result(result_line.result, self._shape)
        except msgspec.DecodeError as error:
            return failed(f"the API's result cannot be understood: {error}")
