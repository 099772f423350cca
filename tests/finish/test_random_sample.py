"""A random sample: drawn from the whole file, paid once, and part of the output in its own place."""

from __future__ import annotations

import csv
import io
import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from batchdrop.cli.job.row_story import row_story
from batchdrop.errors import NothingToSend, SplitTooSlow
from batchdrop.finish.chosen_rows import Wanted
from batchdrop.finish.order_retry import order_retry
from tests.fakes import FakeBatchApi, errored, succeeded
from tests.finish.samples import SampledWorld, sampled
from tests.jobs import JOB, KEYS, RECIPE

RANDOM = {"rows": 5, "random": True}


def _rows(world: SampledWorld) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(world.result("output.csv").decode())))


def _drawn(world: SampledWorld) -> list[int]:
    return [row["row"] for row in world.stored_rows(0)]


def _sent(world: SampledWorld) -> list[str]:
    requests = [request for sent in world.api.created.values() for request in sent]
    return [request["params"]["messages"][0]["content"] for request in requests]


def test_rows_from_the_whole_file_are_sent_first() -> None:
    """Five of 100 rows, in any of four shards; no other shard sends them."""
    world = sampled(rows=100, sample=RANDOM)
    world.rows = 25
    assert world.split().asks == "sample"
    drawn = _drawn(world)
    assert len(drawn) == 5
    assert drawn == sorted(drawn)
    assert drawn[-1] > 25
    assert [item.rows for item in world.manifest.shards] == [5, 25, 25, 25, 25]
    assert sum(item.requests for item in world.manifest.shards) == world.manifest.rows == 100
    assert [request["custom_id"] for request in world.requests(0)] == [f"{JOB}-00000-{row:06}" for row in range(5)]
    assert world.prompts(0) == [f"ask row {row - 1}" for row in drawn]


def test_the_same_file_and_recipe_give_the_same_rows() -> None:
    """Another file, or another recipe, gives others."""
    worlds = [sampled(rows=100, sample=RANDOM) for _ in range(2)]
    worlds += [sampled(rows=101, sample=RANDOM), sampled(rows=100, sample=RANDOM, recipe=f"{RECIPE}max_tokens: 9\n")]
    for world in worlds:
        world.split()
    same, again, *others = map(_drawn, worlds)
    assert same == again
    assert all(same != other for other in others)


def test_every_row_has_the_same_chance() -> None:
    """Over 400 files, each of ten rows is drawn about 200 times."""
    counts = [0] * 10
    for seed in range(400):
        world = sampled(body=b"x\n" + b"".join(b"%d of %d\n" % (row, seed) for row in range(10)), sample=RANDOM)
        world.split()
        for row in _drawn(world):
            counts[row - 1] += 1
    assert all(150 < count < 250 for count in counts)


def test_the_output_has_each_row_once_with_its_answer() -> None:
    """Approved, the job sends the others; the sample's answers stand where their rows do, and cost once."""
    world = sampled(rows=100, sample=RANDOM)
    world.rows = 30
    assert world.sample().rest == "wait"
    assert world.result("sample.csv").decode().count("answered") == 5
    assert world.report["rest"]["rows"] == world.report["rest"]["requests"] == 95
    world.approve()
    summary = world.go_on()
    assert [(row["x"], row["answer"]) for row in _rows(world)] == [
        (f"row {number}", f"re: ask row {number}") for number in range(100)
    ]
    assert len(_sent(world)) == len(set(_sent(world))) == 100
    assert (summary.tally.rows, summary.tally.answered, summary.tally.shared) == (100, 100, 0)
    assert sum(tokens.answers for tokens in summary.tokens) == 100
    closed = [key for key in world.store.objects if ".closed-" in key]
    assert not closed, "each shard was joined once, when it was collected"


def test_a_sample_that_is_not_approved_keeps_its_answers() -> None:
    """The output has five answers in their places, and the others were not sent."""
    world = sampled(rows=40, sample=RANDOM)
    world.rows = 10
    world.sample()
    world.show(time_is_over=True)
    world.close()
    answered = [number for number, row in enumerate(_rows(world), 1) if row["_status"] == "answered"]
    assert answered == _drawn(world)
    assert {row["_status"] for row in _rows(world)} == {"answered", "not_sent"}


@pytest.mark.parametrize("looks", [1, 2, 3, 5])
def test_a_split_in_pieces_draws_the_same(looks: int) -> None:
    """However often its time ends: while rows are counted, drawn, or split."""
    whole, pieced = (sampled(rows=4_000, sample={"rows": 700, "random": True}) for _ in range(2))
    whole.rows = pieced.rows = 1_500
    whole.split()
    for more in range(40):
        with suppress(SplitTooSlow):
            if pieced.split(looks=looks + more).finished:
                break
    assert pieced.store.read(KEYS.shards) == whole.store.read(KEYS.shards)
    for shard in range(4):
        assert pieced.store.read(KEYS.requests(shard)) == whole.store.read(KEYS.requests(shard))
        assert pieced.store.read(KEYS.rows(shard)) == whole.store.read(KEYS.rows(shard))


def test_a_small_file_is_sent_at_once() -> None:
    """All its rows are in the sample, so nothing waits."""
    world = sampled(rows=4, sample=RANDOM)
    assert world.split().asks == "shards"
    summary = world.go_on()
    assert (summary.status, summary.tally.answered) == ("succeeded", 4)
    assert [row["answer"] for row in _rows(world)] == [f"re: ask row {number}" for number in range(4)]


def test_rows_that_nobody_can_read_are_not_drawn() -> None:
    """A row of the wrong width is rejected where it stands."""
    body = b"x,y\n" + b"".join(b"%d,b\n%d\n" % (row, row) for row in range(20))
    world = sampled(body=body, sample=RANDOM, recipe=RECIPE)
    world.split()
    assert all(row % 2 for row in _drawn(world))
    assert world.manifest.shards[0].requests == 5


def test_a_file_without_a_row_that_can_be_read_says_why() -> None:
    """The sample is empty, and the reason is that of the file's first row."""
    world = sampled(body=b"x,y\n1\n2\n", sample=RANDOM)
    with pytest.raises(NothingToSend, match="none of its 2 rows can be sent"):
        world.split()


def test_equal_rows_share_the_sample_s_answer() -> None:
    """Each text is sent once, by the sample or by a later shard."""
    body = b"x\n" + b"".join(b"text %d\n" % (row % 30) for row in range(90))
    world = sampled(body=body, sample=RANDOM, recipe=f"{RECIPE}dedupe: true\n")
    world.rows = 20
    world.sample()
    world.approve()
    summary = world.go_on()
    assert [row["answer"] for row in _rows(world)] == [f"re: ask text {row % 30}" for row in range(90)]
    assert len(_sent(world)) == len(set(_sent(world))) == 30
    assert (summary.tally.answered, summary.tally.shared) == (90, 60)


def test_a_resume_brings_the_sample_s_late_answers() -> None:
    """A row of the sample that failed is sent again by the resume. Its own shard then has the answer."""
    failing = {"on": True}

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        prompt = request["params"]["messages"][0]["content"]
        if failing["on"] and prompt == f"ask row {drawn[0] - 1}":
            return errored("api_error")
        return succeeded(f"re: {prompt}")

    world = sampled(rows=40, sample=RANDOM, recipe=f"{RECIPE}max_rounds: 1\nfail_if: {{answered_below: 1}}\n")
    world.rows = 10
    world.api = FakeBatchApi(result_of=answer)
    world.split()
    drawn = _drawn(world)
    world.ask(0)
    world.show()
    world.approve()
    world.go_on()
    assert _rows(world)[drawn[0] - 1]["_status"] == "failed"
    failing["on"] = False
    world.resume()
    for shard in (1, 2, 3, 4, 0):  # the sample ends last, so the others are joined with its old answers
        world.ask(shard)
    summary = world.close()
    assert summary.tally.answered == 40
    assert [row["answer"] for row in _rows(world)] == [f"re: ask row {number}" for number in range(40)]
    assert sum(tokens.answers for tokens in summary.tokens) == 40


def test_a_shard_that_is_joined_before_the_sample_waits_for_the_closing() -> None:
    """Its own rows are in its part, and the closing adds the sample's."""
    world = sampled(rows=40, sample=RANDOM)
    world.rows = 10
    world.split()
    for shard in (1, 2, 3, 4, 0):
        world.ask(shard)
    summary = world.close()
    assert (summary.tally.answered, len(_sent(world))) == (40, 40)
    assert [row["answer"] for row in _rows(world)] == [f"re: ask row {number}" for number in range(40)]


def test_a_retry_sends_a_row_of_the_sample_again() -> None:
    """Its answer is that of the retry, in its own place."""
    world = sampled(rows=20, sample=RANDOM, recipe=f"{RECIPE}max_rounds: 1\n")
    world.rows = 10
    world.split()
    [first, *_] = _drawn(world)
    world.api = FakeBatchApi(
        result_of=lambda request: (
            errored("api_error")
            if request["params"]["messages"][0]["content"] == f"ask row {first - 1}"
            else succeeded("fine")
        )
    )
    for shard in range(3):
        world.ask(shard)
    world.close()
    assert [json.loads(line)["_row"] for line in world.result("failed.jsonl").splitlines()] == [first]
    world.api = FakeBatchApi(result_of=lambda _: succeeded("again"))
    world.upload = order_retry(Wanted(), world.upload, store=world.store, now=world.clock.now()).record
    assert world.split().asks == "shards"
    world.ask(0)
    assert world.close().tally.answered == 20
    assert _rows(world)[first - 1]["answer"] == "again"


def test_the_cost_of_a_row_of_the_sample_is_its_own() -> None:
    """`output: {add: [cost]}` shows what its answer cost, not 0 as for a row that shares one."""
    world = sampled(rows=20, sample=RANDOM, recipe=f"{RECIPE}output: {{add: [cost, custom_id]}}\n")
    world.sample()
    world.approve()
    summary = world.go_on()
    rows = _rows(world)
    assert sum(Decimal(row["_cost"]) for row in rows) == pytest.approx(summary.cost.usd)
    assert [row["_custom_id"] for row in rows if "-00000-" in row["_custom_id"]] == [
        f"{JOB}-00000-{row:06}" for row in range(5)
    ]


def test_the_story_of_a_row_of_the_sample() -> None:
    """It has its own request, in the sample's shard, and shares it with nobody."""
    world = sampled(rows=40, sample=RANDOM)
    world.rows = 10
    world.sample()
    world.approve()
    world.go_on()
    row = _drawn(world)[-1]
    story = row_story(world.store, JOB, row)
    assert (story.shard, story.custom_id, story.same_as) == (0, f"{JOB}-00000-000004", None)
    assert story.is_sampled
    assert story.answer == {"answer": f"re: ask row {row - 1}"}
    assert not row_story(world.store, JOB, next(one for one in range(1, 41) if one not in _drawn(world))).is_sampled
