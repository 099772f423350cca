"""Join a shard: each input row, in order, with its outcome. Memory does not grow with the shard."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing

import msgspec

from batchdrop.domain.layout import JobKeys
from batchdrop.domain.manifest import ShardItem
from batchdrop.domain.outcome import Outcome, failed, of_result, rejected
from batchdrop.domain.result import ResultLine, Succeeded
from batchdrop.domain.row import StoredRow
from batchdrop.domain.tally import Tally
from batchdrop.ports import ObjectStore, Source
from batchdrop.usecases.job_files import JobFormats
from batchdrop.usecases.stored_lines import whole_lines
from batchdrop.usecases.stored_source import StoredSource

ResultOf = Callable[[int], bytes | None]  # the row's index in its shard -> its result line


def join_shard(
    job_id: str,
    item: ShardItem,
    *,
    store: ObjectStore,
    formats: JobFormats,
    result_of: ResultOf,
    unanswered: Outcome,
    paid_before: Iterable[bytes] = (),
    rounds: int | None,
) -> Tally:
    """Write a shard's part of the output, its failed rows, and last its tally, which proves the other two.

    `unanswered` is the outcome of rows that have no result; `paid_before` are result lines that later ones replaced,
    whose tokens cost money all the same. `rounds` is how many rounds' answers these are; None for a part that is only
    for now: it gets no tally, so that it is never taken for the shard's last word.
    """
    keys = JobKeys(job_id)
    tally = Tally(rounds=rounds or 0)
    outcome_of = _Outcomes(result_of, unanswered)
    sidecar = _sidecar(formats, store, keys.sidecar(item.shard))
    with (
        closing(store.stream(keys.rows(item.shard))) as blocks,
        store.writer(keys.part(item.shard, formats.output.extension)) as part_file,
        formats.output.part(part_file, sidecar) as part,
        store.writer(keys.part(item.shard, formats.failed.extension)) as failed_file,
        formats.failed.part(failed_file, None) as failed_part,
    ):
        rows = msgspec.json.Decoder(StoredRow)
        for index, line in enumerate(whole_lines(blocks)):
            row = rows.decode(line)
            outcome = outcome_of(index, row)
            tally.add(outcome)
            part.add(row, outcome)
            if outcome.fate != "answered":
                failed_part.add(row, outcome)
        tally.check(rows=item.rows, where=f"shard {item.shard}")
    for line in paid_before:
        tally.add_paid(msgspec.json.decode(line, type=_PaidLine).result.message)
    if rounds is not None:
        store.write(keys.part_tally(item.shard), msgspec.json.encode(tally))
    return tally


def _sidecar(formats: JobFormats, store: ObjectStore, key: str) -> Source | None:
    return None if formats.reader.sidecar is None else StoredSource(store, key)


class _PaidLine(msgspec.Struct):
    result: Succeeded


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
            return of_result(self._decoder.decode(line).result)
        except msgspec.DecodeError as error:
            return failed(f"the API's result cannot be understood: {error}")
