"""collect_results: complete or not at all, each answer to its own row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from batchdrop.errors import InvariantBroken, ResultsIncomplete
from batchdrop.report.tally import Tally
from tests.fakes import FakeBatchApi, errored, succeeded
from tests.jobs import JOB, KEYS, RECIPE, World, dropped, reviews

Lines = list[bytes]


ONE_ROUND = f"{RECIPE}max_rounds: 1\n"


def _ready(count: int = 20, *, recipe: str = RECIPE, **api: Any) -> tuple[World, str]:
    """Return a job of one shard whose Message Batch has ended."""
    world = dropped(reviews(count), recipe=recipe)
    world.api = FakeBatchApi(**api)
    world.split()
    batch_id = world.submit().batch_id
    world.api.finish()
    return world, batch_id


def _tally(world: World, batch_id: str) -> Tally:
    """Collect what is the shard's last round; return its tally."""
    collected = world.collect(batch_id)
    assert collected.tally is not None
    assert collected.leftovers == 0
    return collected.tally


def _part(world: World) -> list[list[str]]:
    return list(csv.reader(io.StringIO(world.store.read(KEYS.part(0, 1, "csv")).decode(), newline="")))


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_results_come_out_in_the_rows_order(seed: int) -> None:
    """Whatever the order of the results, the part has the order of the rows."""
    world, batch_id = _ready(seed=seed)
    tally = _tally(world, batch_id)
    assert (tally.rows, tally.answered) == (20, 20)
    assert _part(world) == [[f"row {n}", f"re: ask row {n}", "answered", ""] for n in range(20)]


def test_results_are_kept_as_the_api_gave_them() -> None:
    """The raw lines stay in the bucket, every byte of each."""
    world, batch_id = _ready()
    batch = world.api.retrieve(batch_id)
    world.collect(batch_id)
    kept = world.store.read(KEYS.answers(0, 0)).splitlines()
    assert sorted(kept) == sorted(b"".join(world.api.results(batch)).splitlines())


def test_collecting_again_writes_the_same() -> None:
    """A repeated task changes nothing."""
    world, batch_id = _ready()
    world.collect(batch_id)
    before = world.store.under(f"jobs/{JOB}/parts/")
    world.collect(batch_id)
    assert world.store.under(f"jobs/{JOB}/parts/") == before


def _cut_last(lines: Lines) -> Lines:
    return [*lines[:-1], lines[-1][: len(lines[-1]) // 2]]


def _foreign(lines: Lines) -> Lines:
    return [*lines, lines[0].replace(JOB.encode(), b"somebody"), lines[0].replace(b"-00000-", b"-00007-")]


INCOMPLETE: dict[str, Callable[[Lines], Lines]] = {
    "one is missing": lambda lines: lines[:-1],
    "none came": lambda _lines: [],
    "cut in the middle of a line": _cut_last,
    "cut within the custom_id": lambda lines: [*lines[:-1], b'{"custom_id":"2026'],
    "one doubled for one missing": lambda lines: [*lines[:-1], lines[0]],
    "one foreign for one missing": lambda lines: _foreign(lines)[1:-1],
    "a line is no JSON": lambda lines: [*lines[:-1], b"<html>\n"],
    "a row that the shard does not have": lambda lines: [*lines[:-1], lines[-1].replace(b"-0000", b"-9990")],
}


@pytest.mark.parametrize("how", INCOMPLETE)
def test_incomplete_results_write_nothing(how: str) -> None:
    """A download that is short at a clean end is noticed by counting; only what arrived is kept; the next is whole."""
    world, batch_id = _ready()
    world.api.spoil = INCOMPLETE[how]
    before = dict(world.store.objects)
    with pytest.raises(ResultsIncomplete):
        world.collect(batch_id)
    assert {*world.store.objects} - {*before} <= {KEYS.arrived_answers(0, 0)}
    world.api.spoil = lambda lines: lines
    assert _tally(world, batch_id).answered == 20


def test_a_message_batch_of_fewer_requests_is_incomplete() -> None:
    """Results that fit their own Message Batch, but not the shard, are not taken for the shard's."""
    world, batch_id = _ready()
    world.api.created[batch_id].pop()
    with pytest.raises(ResultsIncomplete, match="19 of 20 results"):
        world.collect(batch_id)


def test_a_message_batch_of_more_requests_is_incomplete() -> None:
    """A Message Batch that counts more than the shard holds is not the shard's."""
    world, batch_id = _ready()
    world.api.created[batch_id].append({**world.requests()[0], "custom_id": "somebody-00000-000000"})
    with pytest.raises(ResultsIncomplete, match="counts 21"):
        world.collect(batch_id)


HARMLESS: dict[str, Callable[[Lines], Lines]] = {
    "doubled lines": lambda lines: lines + lines[:7],
    "foreign lines": _foreign,
    "empty lines": lambda lines: [b"\n", *lines, b"\n\n"],
    "no line end at the end": lambda lines: [*lines[:-1], lines[-1].rstrip(b"\n")],
}


@pytest.mark.parametrize("how", HARMLESS)
def test_lines_too_many_change_nothing(how: str) -> None:
    """Lines that came twice, or belong to nobody, give no row a second or a wrong answer."""
    plain, plain_id = _ready()
    plain.collect(plain_id)
    world, batch_id = _ready()
    world.api.spoil = HARMLESS[how]
    assert _tally(world, batch_id).answered == 20
    assert _part(world) == _part(plain)


def test_a_doubled_result_is_counted_once() -> None:
    """The first line of a row counts, with its tokens."""
    world, batch_id = _ready(3)
    world.api.spoil = lambda lines: lines * 3
    assert _tally(world, batch_id).tokens[0].answers == 3


def _by_row(request: dict[str, Any]) -> dict[str, Any]:
    match int(request["custom_id"][-6:]) % 6:
        case 0:
            return errored("overloaded_error", "busy")
        case 1:
            return {"type": "expired"}
        case 2:
            return {"type": "canceled"}
        case 3:
            return errored("quota_haze_error")
        case 4:
            return {"type": "postponed", "until": "tomorrow"}
        case _:
            return succeeded("ok", stop_reason="max_tokens")


def test_every_kind_of_result_has_its_fate() -> None:
    """Known or not, each result ends in one row with a reason, and the failed ones stand in failed.jsonl."""
    world, batch_id = _ready(12, recipe=ONE_ROUND, result_of=_by_row)
    tally = _tally(world, batch_id)
    assert (tally.rows, tally.answered, tally.unusable, tally.failed, tally.rejected) == (12, 0, 2, 10, 0)
    errors = [row[3] for row in _part(world)[:6]]
    assert [error.split(":")[0] for error in errors] == [
        "overloaded_error",
        "expired",
        "canceled before this row was answered",
        "quota_haze_error",
        "the API's result cannot be read",
        "the answer was cut at max_tokens; raise max_tokens in the recipe",
    ]
    failed = [json.loads(line) for line in world.store.read(KEYS.part(0, 1, "failed.jsonl")).splitlines()]
    assert [line["x"] for line in failed] == [f"row {n}" for n in range(12) if n % 6 != 4]
    perhaps_paid = world.store.read(KEYS.part(0, 1, "perhaps-paid.jsonl")).splitlines()
    assert [json.loads(line)["x"] for line in perhaps_paid] == [f"row {n}" for n in range(12) if n % 6 == 4]


def test_rejects_stand_between_the_answers() -> None:
    """A row that was never sent keeps its place and its reason."""
    world = dropped(b"x,y\na,1\nb\nc,3\n")
    world.split()
    batch_id = world.submit().batch_id
    world.api.finish()
    tally = _tally(world, batch_id)
    assert (tally.answered, tally.rejected) == (2, 1)
    assert [row[3] for row in _part(world)] == ["answered", "rejected", "answered"]


def test_a_job_without_manifest_is_our_defect() -> None:
    """Results of a job that was never split are not guessed at."""
    world = dropped(reviews(1))
    with pytest.raises(InvariantBroken, match="no manifest"):
        world.collect("msgbatch_0")


def test_a_message_batch_that_has_not_ended_is_incomplete() -> None:
    """Collecting too early writes nothing."""
    world, _ = _ready()
    early = world.api
    early.ended.clear()
    with pytest.raises(ResultsIncomplete):
        world.collect("msgbatch_0")


def test_an_answer_that_was_spoilt_on_its_way_is_fetched_again() -> None:
    """The API counts more answers than came: what looks like an unknown result was paid, so the fetch is repeated."""
    world, batch_id = _ready(3)
    world.api.spoil = lambda lines: [*lines[:-1], lines[-1].replace(b'"succeeded"', b'"postponed"')]
    with pytest.raises(ResultsIncomplete, match="3 of 3 results arrived, 2 of them answers"):
        world.collect(batch_id)


def test_bytes_of_an_answer_that_are_no_text_do_not_cost_the_answer() -> None:
    """They are replaced; the row is answered, for it was paid, and so are all others of its shard."""
    world, batch_id = _ready(3)
    world.api.spoil = lambda lines: [line.replace(b"re: ask row 1", b"re: ask\xff row 1") for line in lines]
    assert _tally(world, batch_id).answered == 3
    assert [row[1] for row in _part(world)] == ["re: ask row 0", "re: ask\ufffd row 1", "re: ask row 2"]


def test_an_answer_without_a_custom_id_goes_to_no_row() -> None:
    """The one row without a line may be paid: it is unreadable, and is not sent again."""
    world, batch_id = _ready(3)
    world.api.spoil = lambda lines: [lines[0].replace(b'"custom_id":"2', b'"custom_id":"\xff'), *lines[1:]]
    tally = _tally(world, batch_id)
    assert tally.statuses == {"answered": 2, "unreadable": 1}


def test_a_job_without_a_recipe_is_collected() -> None:
    """Ready-made requests have no `retry`: what is unpaid is sent again, and an answered shard is done."""
    line = (
        b'{"custom_id": "a", "params": {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}}'
    )
    world = dropped(line + b"\n", key="inbox/f.jsonl", recipe=None)
    world.split()
    batch_id = world.submit().batch_id
    world.api.finish()
    assert _tally(world, batch_id).answered == 1
