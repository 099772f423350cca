"""`batchdrop show JOB --row N`: one row's cells, request, results of each round, and outcome."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from operator import add
from typing import Any

import msgspec

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.answers.custom_id import CustomId
from batchdrop.answers.odd_records import read_line
from batchdrop.answers.outcome import of_result, remembered
from batchdrop.cli.job.jobs import NoSuchJobError
from batchdrop.cli.job.row_place import place_of_row, stored_lines
from batchdrop.cli.job.shard_fate import fate_of_shard
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.escalations import escalations_of
from batchdrop.finish.group_answers import read_places
from batchdrop.finish.packed_rounds import PackedRounds
from batchdrop.finish.recalled import recall
from batchdrop.finish.stitch_versions import faults_of
from batchdrop.job.job_files import reader_of, shape_of
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.job.ports import Ledger
from batchdrop.job.sample import SAMPLE_SHARD, has_sample
from batchdrop.ports import ObjectStore
from batchdrop.requests.groups import Places
from batchdrop.requests.row import StoredRow
from batchdrop.requests.stored_request import stored_request


class Round(msgspec.Struct, frozen=True):
    """One round that sent the row: the request's params, and the API's result, unchanged.

    `custom_id` is the request's; `pack` are the numbers of the rows that share it, none if it was the row's own.
    `escalated` is why the round sent the row to another model, in the recipe's words; None if it did not.
    """

    round: int
    request: Any
    result: Any
    custom_id: str = ""
    pack: list[int] = []
    escalated: str | None = None


class RowStory(msgspec.Struct, frozen=True):
    """Everything known about a row. `row` counts from 1; `same_as` is the row whose request and answer it shares.

    `status` is its `_status`; None if it has no outcome yet. `is_sampled`: the row is in the job's sample.
    """

    job_id: str
    row: int
    shard: int
    custom_id: str
    cells: dict[str, Any]
    rounds: list[Round]
    same_as: int | None = None
    status: str | None = None
    answer: Any = None
    error: str = ""
    is_sampled: bool = False


def row_story(store: ObjectStore, job_id: str, row: int, *, ledger: Ledger | None = None) -> RowStory:
    """Return a row's story in the newest version up to `job_id` that sent it. The ledger tells why it has no result.

    Raises NoSuchJobError if the job has no such row.
    """
    found = place_of_row(store, job_id, row)
    manifest, item, index = found.manifest, found.section, found.index
    stored = _stored_row(store, manifest, item, index)
    positions: Callable[[int], int] = partial(add, found.position - index)
    grouped = _in_groups(store, manifest, found.position) if manifest.is_grouped and not stored.error else None
    if grouped is not None:
        item, index, same_as, positions = grouped
        stored = msgspec.structs.replace(stored, same_as=None if same_as == index else same_as)
    sent = index if stored.same_as is None else stored.same_as
    if stored.same_shard is not None:
        item = manifest.shards[stored.same_shard]
        positions = _positions_of(store, manifest, item)

    def number_of(place: int) -> int:
        return found.number_of(positions(place))

    keys = JobKeys(manifest.upload.job_id)
    custom_id = str(CustomId(keys.job_id, item.shard, sent))
    rounds = [] if stored.error else list(_rounds(store, manifest, item, sent, number_of))
    again = _result(store, keys.read_again(item.shard), custom_id)
    if again is not None and rounds:
        rounds[-1] = msgspec.structs.replace(rounds[-1], result=again)  # it settles a result that could not be read
    cells = reader_of(manifest, FileFormats()).cells(stored.raw)
    outcome = _outcome(manifest, item, sent, stored, rounds, store)
    if not outcome and ledger is not None:
        outcome = fate_of_shard(manifest, item.shard, faults_of(manifest, store), store, ledger)
    return RowStory(
        job_id=keys.job_id,
        row=row,
        shard=item.shard,
        custom_id=custom_id,
        cells={"_raw": stored.raw} if cells is None else cells,
        rounds=rounds,
        same_as=None if stored.same_as is None or stored.is_drawn else number_of(stored.same_as),
        is_sampled=stored.is_drawn or (found.section.shard == SAMPLE_SHARD and has_sample(manifest)),
        **outcome,
    )


def _positions_of(store: ObjectStore, manifest: Manifest, item: ShardItem) -> Callable[[int], int]:
    """Return what gives the position in the file, from 1, of a shard's row by its index."""
    if manifest.draws_sample and item.shard == SAMPLE_SHARD:
        lines = stored_lines(store, JobKeys(manifest.upload.job_id).rows(SAMPLE_SHARD))
        return [msgspec.json.decode(line, type=StoredRow).row for line in lines].__getitem__
    return partial(add, 1 + sum(before.rows for before in manifest.sections if before.shard < item.shard))


def _in_groups(
    store: ObjectStore, manifest: Manifest, position: int
) -> tuple[ShardItem, int, int, Callable[[int], int]] | None:
    """Return a row's shard in a grouped job, its index, that of the row whose request it shares, and `positions`.

    `positions` returns an index's position in the file. Return None if no shard has the row.
    """
    for item in manifest.shards:
        places = read_places(manifest, item.shard, store)
        index = None if places is None else places.index_of(position - 1)
        if places is not None and index is not None:
            return item, index, places[index].same_as, partial(_position_in, places)
    return None


def _position_in(places: Places, index: int) -> int:
    return places[index].row + 1


def _stored_row(store: ObjectStore, manifest: Manifest, item: ShardItem, index: int) -> StoredRow:
    job_id = manifest.upload.job_id
    for number, line in enumerate(stored_lines(store, JobKeys(job_id).rows(item.shard))):
        if number == index:
            return msgspec.json.decode(line, type=StoredRow)
    raise NoSuchJobError(f"job {job_id} shard {item.shard} is no longer in the bucket")


def _rounds(
    store: ObjectStore, manifest: Manifest, item: ShardItem, index: int, number_of: Callable[[int], int]
) -> Iterator[Round]:
    """Yield the rounds that sent the row, until one has neither request nor result."""
    keys, shard = JobKeys(manifest.upload.job_id), item.shard
    number = 1 if manifest.is_packed else 0  # with packs, round 0 sends nothing
    packs = PackedRounds(manifest, shard, store)
    while store.exists(keys.requests(shard, number)) or store.exists(keys.answers(shard, number)):
        pack = packs.pack_of(number, index)
        custom_id = str(CustomId(keys.job_id, shard, pack[0] if pack else index))
        request = _request(store, keys.requests(shard, number), custom_id)
        result = _result(store, keys.answers(shard, number), custom_id)
        if request is not None or result is not None:
            yield Round(number, request, result, custom_id, [number_of(row) for row in pack])
        number += 1


def _request(store: ObjectStore, key: str, custom_id: str) -> Any:
    wanted = custom_id.encode()
    for line in stored_lines(store, key):
        request = stored_request(line) if wanted in line else None
        if request and request.custom_id == custom_id:
            return json.loads(bytes(request.params))
    return None


def _result(store: ObjectStore, key: str, custom_id: str) -> Any:
    wanted = custom_id.encode()
    for line in stored_lines(store, key):
        if wanted in line:
            found = json.loads(line.decode(errors="replace"))
            if found["custom_id"] == custom_id:
                return found["result"]
    return None


def _outcome(
    manifest: Manifest, item: ShardItem, index: int, stored: StoredRow, rounds: list[Round], store: ObjectStore
) -> dict[str, Any]:
    """Return status, answer and error, as the join makes them from the row's final result line."""
    if stored.error is not None:
        return {"status": "skipped" if stored.is_skipped else "rejected", "error": stored.error}
    line = _final_line(manifest, item, index, rounds, store)
    if line is None:
        return {}
    shape = shape_of(manifest)
    read = read_line(line)
    outcome = of_result(read.result, shape)
    outcome = outcome if read.remembered is None else remembered(outcome)
    names = [column.name for column in shape.columns.answer]
    answer = dict(zip(names, outcome.values, strict=False)) or outcome.raw or None
    return {"status": outcome.status, "answer": answer, "error": outcome.error}


def _final_line(
    manifest: Manifest, item: ShardItem, index: int, rounds: list[Round], store: ObjectStore
) -> bytes | None:
    """Return the result line that counts: the newest, but a paid one before an unpaid one.

    Notes in `rounds` which of them sent the row to another model.
    """
    job_id = manifest.upload.job_id
    packs, escalations = PackedRounds(manifest, item.shard, store), escalations_of(manifest, item.rows)
    with tempfile.TemporaryFile(prefix="row-") as spool:
        words = AnswerIndex(spool, job_id=job_id, shard=item.shard, rows=item.rows, escalations=escalations)
        recall(words, item, JobKeys(job_id), store)
        for place, one in enumerate(rounds):
            if escalations is not None:
                rounds[place] = msgspec.structs.replace(one, escalated=escalations.reason(index))
            if one.result is not None:
                line = msgspec.json.encode({"custom_id": one.custom_id, "result": one.result})
                words.fill(packs.rows(one.round, [line]))
        [final] = words.lines([index])
        return final
