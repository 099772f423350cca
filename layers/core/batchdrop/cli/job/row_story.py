"""`batchdrop show JOB --row N`: one row's cells, request, results of each round, and outcome."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from operator import add
from typing import Any

import msgspec
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.answers.custom_id import CustomId
from batchdrop.answers.odd_records import read_line
from batchdrop.answers.outcome import of_result, remembered
from batchdrop.cli.check.shortened import shortened_values
from batchdrop.cli.job.jobs import NoSuchJobError
from batchdrop.cli.job.shard_fate import fate_of_shard
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.escalations import escalations_of
from batchdrop.finish.group_answers import read_places
from batchdrop.finish.packed_rounds import PackedRounds
from batchdrop.finish.recalled import recall
from batchdrop.job.job_files import read_manifest, reader_of, shape_of
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.job.ports import Ledger
from batchdrop.job.stored_lines import whole_lines
from batchdrop.ports import ObjectMissing, ObjectStore
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

    `status` is its `_status`; None if it has no outcome yet.
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


def row_story(
    store: ObjectStore,
    job_id: str,
    row: int,
    *,
    faults: Sequence[dict[str, Any]] = (),
    ledger: Ledger | None = None,
) -> RowStory:
    """Return a row's story. `faults` are the summary's; they need the ledger.

    Raises NoSuchJobError if the job has no such row.
    """
    manifest = read_manifest(store, job_id)
    if manifest is None:
        raise NoSuchJobError(f"job {job_id} has no rows; see why with `batchdrop show {job_id}`")
    section, place, first = _place(manifest, row)
    stored = _stored_row(store, job_id, section, place)
    item, index = section, place
    number_of: Callable[[int], int] = partial(add, first)
    found = _in_groups(store, manifest, row) if manifest.is_grouped and not stored.error else None
    if found is not None:
        item, index, same_as, number_of = found
        stored = msgspec.structs.replace(stored, same_as=None if same_as == index else same_as)
    sent = index if stored.same_as is None else stored.same_as
    if stored.same_shard is not None:
        item = manifest.shards[stored.same_shard]
        first = 1 + sum(before.rows for before in manifest.shards[: item.shard])
    custom_id = str(CustomId(job_id, item.shard, sent))
    rounds = [] if stored.error else list(_rounds(store, manifest, item, sent, number_of))
    again = _result(store, JobKeys(job_id).read_again(item.shard), custom_id)
    if again is not None and rounds:
        rounds[-1] = msgspec.structs.replace(rounds[-1], result=again)  # it settles a result that could not be read
    cells = reader_of(manifest, FileFormats()).cells(stored.raw)
    outcome = _outcome(manifest, item, sent, stored, rounds, store)
    if not outcome and ledger is not None:
        outcome = fate_of_shard(manifest, item.shard, faults, store, ledger)
    return RowStory(
        job_id=job_id,
        row=row,
        shard=item.shard,
        custom_id=custom_id,
        cells={"_raw": stored.raw} if cells is None else cells,
        rounds=rounds,
        same_as=None if stored.same_as is None else number_of(stored.same_as),
        **outcome,
    )


def _in_groups(
    store: ObjectStore, manifest: Manifest, row: int
) -> tuple[ShardItem, int, int, Callable[[int], int]] | None:
    """Return a row's shard in a grouped job, its index, that of the row whose request it shares, and `number_of`.

    `number_of` returns the row number of an index. Return None if no shard has the row.
    """
    for item in manifest.shards:
        places = read_places(manifest, item.shard, store)
        index = None if places is None else places.index_of(row - 1)
        if places is not None and index is not None:
            return item, index, places[index].same_as, partial(_number_in, places)
    return None


def _number_in(places: Places, index: int) -> int:
    return places[index].row + 1


def _place(manifest: Manifest, row: int) -> tuple[ShardItem, int, int]:
    """Return the row's slice of the file, its index in it, and the number of the slice's first row."""
    first = 1
    for item in manifest.sections:
        if first <= row < first + item.rows:
            return item, row - first, first
        first += item.rows
    so_far = "" if manifest.cursor is None else " so far"
    raise NoSuchJobError(
        f"job {manifest.upload.job_id} has {manifest.rows:,} rows{so_far}, so row {row:,} does not exist"
    )


def _stored_row(store: ObjectStore, job_id: str, item: ShardItem, index: int) -> StoredRow:
    for number, line in enumerate(_lines(store, JobKeys(job_id).rows(item.shard))):
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
    for line in _lines(store, key):
        request = stored_request(line) if wanted in line else None
        if request and request.custom_id == custom_id:
            return json.loads(bytes(request.params))
    return None


def _result(store: ObjectStore, key: str, custom_id: str) -> Any:
    wanted = custom_id.encode()
    for line in _lines(store, key):
        if wanted in line:
            found = json.loads(line.decode(errors="replace"))
            if found["custom_id"] == custom_id:
                return found["result"]
    return None


def _lines(store: ObjectStore, key: str) -> Iterator[bytes]:
    try:
        with closing(store.stream(key)) as blocks:
            yield from whole_lines(blocks)
    except ObjectMissing:
        return


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


def print_story(story: RowStory, console: Console) -> None:
    """Print a row's story, with long texts cut."""
    console.print(Text.assemble((f"row {story.row:,}", "bold"), f"  of job {story.job_id}, shard {story.shard}"))
    for name, cell in story.cells.items():
        console.print(Text.assemble((f"  {name}", "cyan"), f"  {_shown(cell)}"), soft_wrap=True)
    if story.same_as is not None:
        console.print(Text(f"has the same request as row {story.same_as:,}, and shares its answer"), soft_wrap=True)
    for one in story.rounds:
        title = f"round {one.round + 1}{_why_escalated(one)}"
        if one.pack:
            rows = ", ".join(f"{number:,}" for number in one.pack)
            console.print(Text(f"{title}: shared a request with rows {rows}", style="bold"), soft_wrap=True)
        _print_json(console, f"{title}: request {one.custom_id}", one.request)
        _print_json(console, f"{title}: result", one.result)
    console.print(Text.assemble(("outcome  ", "bold"), _outcome_words(story)), soft_wrap=True)


def _why_escalated(one: Round) -> str:
    """Return that another model answered, and why; empty if it was the recipe's own."""
    if one.escalated is None:
        return ""
    model = one.request.get("model") if isinstance(one.request, dict) else None
    return f", escalated to {model or 'the other model'} ({one.escalated})"


def _print_json(console: Console, title: str, value: Any) -> None:
    console.print(Text(title, style="bold"), soft_wrap=True)
    if value is None:
        console.print(Text("  (missing: not collected yet, or deleted)", style="dim"))
        return
    text = json.dumps(shortened_values(value), ensure_ascii=False, indent=2)
    console.print(Syntax(text, "json", background_color="default", word_wrap=True))


def _shown(cell: Any) -> str:
    text = shortened_values(cell)
    return text if isinstance(text, str) else json.dumps(text, ensure_ascii=False, default=str)


def _outcome_words(story: RowStory) -> str:
    if story.status is None:
        return "none yet" if story.rounds else "not sent yet"
    answer = "" if story.answer is None else f": {json.dumps(story.answer, ensure_ascii=False, default=str)}"
    return f"{story.status}{answer}" + (f" ({story.error})" if story.error else "")
