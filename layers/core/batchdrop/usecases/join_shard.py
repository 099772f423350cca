"""Join a shard: each input row, in order, with its outcome. Memory does not grow with the shard."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import TypeVar

import msgspec

from batchdrop.domain.layout import JobKeys
from batchdrop.domain.manifest import ShardItem
from batchdrop.domain.outcome import Outcome, failed, of_result, rejected
from batchdrop.domain.result import ResultLine, Succeeded
from batchdrop.domain.row import StoredRow
from batchdrop.domain.tally import Tally
from batchdrop.ports import FileFormat, ObjectStore, Writer
from batchdrop.usecases.stored_lines import whole_lines

Line = TypeVar("Line")
ResultOf = Callable[[int], bytes | None]  # the row's index in its shard -> its result line


def join_shard(
    job_id: str,
    item: ShardItem,
    *,
    store: ObjectStore,
    file_format: FileFormat,
    result_of: ResultOf,
    unanswered: Outcome,
    paid_before: Iterable[bytes],
    part: Writer,
    part_failed: Writer,
) -> Tally:
    """Write a shard's output and its failed rows; return its tally.

    `unanswered` is the outcome of rows that have no result; `paid_before` are result lines that later ones replaced,
    whose tokens cost money all the same. Raises InvariantBroken if a row is missing.
    """
    tally = Tally()
    outcome_of = _Outcomes(result_of, unanswered)
    rows = msgspec.json.Decoder(StoredRow)
    with closing(store.stream(JobKeys(job_id).rows(item.shard))) as blocks:
        for index, line in enumerate(whole_lines(blocks)):
            row = rows.decode(line)
            outcome = outcome_of(index, row)
            tally.add(outcome)
            part.write(file_format.output_row(row.raw, outcome))
            if outcome.fate != "answered":
                part_failed.write(file_format.failed_line(row.raw, outcome))
        tally.check(rows=item.rows, where=f"shard {item.shard}")
    paid_lines = msgspec.json.Decoder(_PaidLine)
    for line in paid_before:
        tally.add_paid(_decoded(line, paid_lines).result.message)
    return tally


class _PaidLine(msgspec.Struct):
    result: Succeeded


def _decoded(line: bytes, lines: msgspec.json.Decoder[Line]) -> Line:
    """Decode a result line; bytes that are no UTF-8 become U+FFFD, for the answer around them was paid."""
    try:
        return lines.decode(line)
    except UnicodeDecodeError:
        return lines.decode(line.decode(errors="replace"))


class _Outcomes:
    """Decides each row's outcome from its result line."""

    def __init__(self, result_of: ResultOf, unanswered: Outcome) -> None:
        self._result_of = result_of
        self._unanswered = unanswered
        self._decoder = msgspec.json.Decoder(ResultLine)

    def __call__(self, index: int, row: StoredRow) -> Outcome:
        if row.error is not None:
            return rejected(row.error)
        line = self._result_of(index)
        if line is None:
            return self._unanswered
        try:
            return of_result(_decoded(line, self._decoder).result)
        except msgspec.DecodeError as error:
            return failed(f"the API's result cannot be understood: {error}")
