"""Rows with the same request in different shards of a job: one is sent, and all get its answer."""

from __future__ import annotations

import csv
import io
import json
import random
from typing import Any

import pytest

from batchdrop.finish.chosen_rows import Wanted
from batchdrop.finish.order_retry import order_retry
from batchdrop.requests import dedupe
from tests.emulated_job import EmulatedJob, emulated_job
from tests.fakes import FakeBatchApi, succeeded
from tests.jobs import KEYS, World, dropped
from tests.remembering import Jobs

RECIPE = "model: claude-haiku-5-5\nmax_tokens: 64\nprompt: '{{ x }}'\ndedupe: true\n"


def _table(*values: str) -> bytes:
    return "".join(f"{line}\n" for line in ["x", *values]).encode()


def _rows(world: World) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline="")))


def _answers(world: World) -> list[str]:
    return [row["answer"] or row["_status"] for row in _rows(world)]


def test_a_file_pays_for_its_distinct_texts() -> None:
    """1,000 rows of 198 texts, in shards of 100, are 198 requests; every row has its own text's answer."""
    rng = random.Random(7)
    texts = [f"text {number}" for number in range(198)]
    values = texts + rng.choices(texts, k=1_000 - len(texts))
    rng.shuffle(values)
    with emulated_job(_table(*values), recipe=RECIPE) as job:
        job.rows = 100
        summary = job.run()
        assert (job.charges["requests"], summary.tally.answered, summary.tally.shared) == (198, 1_000, 802)
        by_text: dict[str, set[str]] = {}
        for value, row in zip(values, _rows(job), strict=True):
            by_text.setdefault(value, set()).add(row["answer"])
        assert all(len(answers) == 1 for answers in by_text.values())


def test_a_split_in_pieces_shares_the_same() -> None:
    """Later attempts read the digests of the shards before them."""
    body = _table("a", "b", "a", "c", "b", "a", "d", "c")
    whole, pieced = (dropped(body, recipe=RECIPE, rows=2) for _ in range(2))
    whole.split()
    while not pieced.split(looks=2).finished:
        pass
    assert [item.requests for item in whole.manifest.shards] == [2, 1, 0, 1]
    assert [item.borrowed for item in whole.manifest.shards] == [0, 1, 2, 1]
    assert [pieced.stored_rows(shard) for shard in range(4)] == [whole.stored_rows(shard) for shard in range(4)]


def test_few_requests_are_known_in_a_large_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit, a later shard sends its own: memory is bounded."""
    monkeypatch.setattr(dedupe, "MOST_KNOWN", 3)
    world = dropped(_table("a", "b", "c", "d", "d", "b"), recipe=RECIPE, rows=2)
    world.split()
    assert [item.requests for item in world.manifest.shards] == [2, 2, 1]
    world.run()
    assert _answers(world) == [f"re: {value}" for value in "abcddb"]


def test_a_shared_row_has_the_fate_of_the_row_that_was_sent() -> None:
    """An answer that cannot be used is shared as it is, and costs once; a retry sends each such text once."""
    broken = {"b"}

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        prompt = request["params"]["messages"][0]["content"]
        return succeeded(f"re: {prompt}", stop_reason="refusal" if prompt in broken else "end_turn")

    world = World(rows=2, api=FakeBatchApi(result_of=answer))
    world.drop("inbox/r/f.csv", _table("a", "b", "b", "a"), recipe=RECIPE)
    summary = world.run()
    assert [row["_status"] for row in _rows(world)] == ["answered", "refusal", "refusal", "answered"]
    assert summary.tally.shared == 2
    broken.clear()
    world.upload = order_retry(Wanted(), world.upload, store=world.store, now=world.clock.now()).record
    assert world.run().status == "succeeded"
    assert _answers(world) == ["re: a", "re: b", "re: b", "re: a"]
    assert sum(map(len, world.api.created.values())) == 3


def test_a_job_that_ends_red_shares_what_it_has() -> None:
    """The first shard is answered, the second one fails: rows that share an answer of the first have it."""
    world = dropped(_table("a", "b", "c", "a"), recipe=RECIPE, rows=2)
    world.split()
    world.ask(0)
    assert world.close().status == "failed"
    assert _answers(world) == ["re: a", "re: b", "failed", "re: a"]
    world.resume()
    assert world.run().status == "succeeded"
    assert _answers(world) == ["re: a", "re: b", "re: c", "re: a"]


def test_a_lender_that_fails_leaves_its_borrowers_failed() -> None:
    """The second shard is answered, the first one is not: its row's borrower has no answer, and can be resumed."""
    world = dropped(_table("a", "b", "c", "a"), recipe=RECIPE, rows=2)
    world.split()
    world.ask(1)
    assert world.close().status == "failed"
    assert _answers(world) == ["failed", "failed", "re: c", "failed"]
    world.resume()
    world.run()
    assert _answers(world) == ["re: a", "re: b", "re: c", "re: a"]


def test_perhaps_paid_rows_name_the_request_that_was_sent() -> None:
    """A shared result that cannot be read is looked for where it was sent."""
    world = World(rows=2, api=FakeBatchApi(result_of=lambda _request: {"type": "riddle"}))
    world.drop("inbox/r/f.csv", _table("a", "b", "a"), recipe=RECIPE)
    world.run()
    lines = [json.loads(line) for line in world.result("perhaps-paid.jsonl").splitlines()]
    assert len(lines) == 3
    assert lines[2]["_custom_id"] == lines[0]["_custom_id"]
    assert lines[2]["_message_batch"] == lines[0]["_message_batch"] is not None


def test_added_columns_are_those_of_the_shared_answer() -> None:
    """It costs nothing more, and has the name of the request that was sent."""
    recipe = f"{RECIPE}output: {{add: [custom_id, cost]}}\n"
    world = dropped(_table("a", "b", "a"), recipe=recipe, rows=2)
    world.run()
    first, _, third = _rows(world)
    assert third["_custom_id"] == first["_custom_id"]
    assert (float(first["_cost"]) > 0, float(third["_cost"])) == (True, 0.0)


def test_remembered_rows_are_not_lent() -> None:
    """Each shard has its own pins, so a file that is sent again joins without the others."""
    jobs = Jobs(rows=2)
    jobs.run("a", "b", "a", "c")
    assert jobs.sent == 3
    jobs.run("a", "b", "a", "c", "new", "new", "new")
    assert [item.borrowed for item in jobs.last.manifest.shards] == [0, 0, 0, 1]
    assert jobs.sent == 4
    assert jobs.statuses() == ["remembered"] * 4 + ["answered"] * 3
    jobs.run("new", "a")
    assert jobs.sent == 4


def test_waves_share_too() -> None:
    """In a job that a cap sends in waves, the shared rows wait for the same answer."""
    values = [f"row {number % 30}" for number in range(60)]
    with emulated_job(_table(*values), recipe=f"{RECIPE}max_cost_usd: 0.0008\n") as job:
        job.rows = 40
        summary = job.run()
        assert (job.charges["requests"], summary.tally.answered) == (30, 60)
        assert _is_in_waves(job)


def _is_in_waves(job: EmulatedJob) -> bool:
    return job.manifest.waves or job.store.exists(KEYS.digests(0))
