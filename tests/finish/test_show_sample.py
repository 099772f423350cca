"""The sample: asked first, shown with what the whole would cost, and the rest only when it may be."""

from __future__ import annotations

import csv
import io
import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from batchdrop.cli.job.row_story import row_story
from batchdrop.errors import InvariantBroken, JobCanceled, JobClosedSince, SplitTooSlow
from batchdrop.job.submission import Halt, ShardFailure
from batchdrop.ports import ObjectChanged
from tests.fakes import START, FakeBatchApi, errored, succeeded
from tests.finish.samples import SampledWorld, sampled
from tests.jobs import JOB, KEYS, RECIPE, dropped


def _statuses(world: SampledWorld) -> list[str]:
    return [row["_status"] for row in csv.DictReader(io.StringIO(world.result("output.csv").decode()))]


def test_the_first_rows_are_a_shard_of_their_own() -> None:
    """Three rows in the sample's shard, the others as ever; the Map first reads that one alone."""
    world = sampled(rows=10, sample=3)
    assert world.split().asks == "sample"
    assert [item["requests"] for item in world.shard_items] == [3, 7]
    assert json.loads(world.store.read(KEYS.sample)) == world.shard_items[:1]
    assert world.prompts(0) == ["ask row 0", "ask row 1", "ask row 2"]


def test_rows_that_cannot_be_asked_do_not_count() -> None:
    """So many rows are asked, however many rejects are among them; small shards stay small behind it."""
    world = sampled(body=b"x,y\n1,2\n3\n4\n5,6\n7,8\n9,9\n", sample=2)
    world.split()
    assert [(item.rows, item.requests) for item in world.manifest.shards] == [(4, 2), (2, 2)]
    small = sampled(rows=10, sample=5)
    small.rows = 2
    small.split()
    assert [item.rows for item in small.manifest.shards] == [2, 2, 2, 2, 2]


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_file_that_is_no_longer_has_no_sample(rows: int) -> None:
    """There is nothing to wait for: the job is asked at once."""
    world = sampled(rows=rows, sample=3)
    assert world.split().asks == "shards"
    assert not world.store.exists(KEYS.sample)
    assert world.go_on().status == "succeeded"


def test_a_split_in_pieces_has_the_same_sample() -> None:
    """However often its time ends, the first shard is the sample."""
    whole, pieced = (sampled(rows=2_500, sample=1_200) for _ in range(2))
    whole.split()
    for looks in (1, 2, 4):
        if not pieced.store.exists(KEYS.manifest):
            with suppress(SplitTooSlow):
                pieced.split(looks=looks)
    pieced.split()
    assert pieced.store.read(KEYS.sample) == whole.store.read(KEYS.sample)
    assert pieced.store.read(KEYS.shards) == whole.store.read(KEYS.shards)


def test_nothing_but_rejects_behind_it_is_no_rest() -> None:
    """A rest that cannot be asked is not waited for."""
    assert sampled(body=b"x,y\n1,2\n3\n4\n", sample=1).split().asks == "shards"


def test_a_sample_waits_and_shows_its_answers() -> None:
    """Its rows and answers in the output's format, what they cost, what the whole would; nothing else is asked."""
    world = sampled(rows=10, sample=3)
    assert world.sample().rest == "wait"
    assert world.result("sample.csv").decode().splitlines() == [
        "x,answer,_status,_error",
        *(f"row {number},re: ask row {number},answered," for number in range(3)),
    ]
    report = world.report
    assert report["tally"]["answered"] == 3
    assert report["rest"] == {
        "rows": 7,
        "requests": 7,
        "lane": "batch",
        "becomes": "wait",
        "reason": f"waiting for `batchdrop approve {JOB}`",
    }
    each = (10 * 0.10 + 5 * 0.50) / 1e6 / 2  # tokens of the fakes, at half of haiku's price
    assert report["spent_usd"] == pytest.approx(3 * each)
    assert report["projected"]["expected_usd"] == pytest.approx(10 * each, abs=1e-6)
    assert len(world.api.created) == 1


def test_a_sample_costs_what_the_users_own_prices_say() -> None:
    """`recipes/prices.yaml` holds for the sample and for the projection, as for the job's cost."""
    world = sampled(rows=10, sample=3)
    price = "{input: 1, output: 2, cache_write_5m: 0, cache_write_1h: 0, cache_read: 0}"
    own = f"date: 2026-12-01\nsource: contract\nmodels:\n  claude-haiku-5-5:\n    standard: {price}\n"
    world.store.write("recipes/prices.yaml", own.encode())
    world.sample()
    each = (10 * 1 + 5 * 2) / 1e6 / 2  # tokens of the fakes, at half of that price
    assert world.report["spent_usd"] == pytest.approx(3 * each)
    assert world.report["projected"]["expected_usd"] == pytest.approx(10 * each, abs=1e-6)


def test_an_approved_sample_goes_on_and_is_paid_once() -> None:
    """The approval wakes the task, the rest is asked, and the sample's own answers are taken as they are."""
    world = sampled(rows=10, sample=3)
    world.sample()
    assert not world.wait()
    approved = world.approve()
    assert (approved.at, approved.is_heard) == (START, True)
    assert world.tokens.succeeded == {"token": {}}
    assert world.show().rest == "ask"
    assert world.go_on().status == "succeeded"
    asked = [request["custom_id"] for requests in world.api.created.values() for request in requests]
    assert len(asked) == len(set(asked)) == 10
    assert _statuses(world) == ["answered"] * 10


def test_the_sample_is_asked_live_and_the_rest_in_message_batches() -> None:
    """A person waits for the sample: it is asked live if it is small. The rest is not asked live for that."""
    world = sampled(rows=10, sample=3, live_rows=5)
    world.split()
    assert [item["lane"] for item in world.shard_items] == ["live", "batch"]
    world.ask(0)
    assert world.show().rest == "wait"
    assert len(world.messages.asked) == 3
    assert world.report["projected"]["expected_usd"] == pytest.approx(1.75e-6 * (3 * 2 + 7), abs=1e-6)
    world.approve()
    assert world.show().rest == "ask"
    assert world.go_on().status == "succeeded"
    assert (len(world.messages.asked), [len(sent) for sent in world.api.created.values()]) == (3, [7])


@pytest.mark.parametrize(
    ("sample", "keys", "lanes"),
    [
        ({"rows": 3}, "live_rows: 3\n", ["live", "batch"]),
        ({"rows": 3}, "live_rows: 2\n", ["batch", "batch"]),
        ({"rows": 3}, "lane: live\n", ["live", "live"]),
        ({"rows": 3, "lane": "batch"}, "live_rows: 100\n", ["batch", "live"]),
        ({"rows": 3, "lane": "live"}, "lane: batch\n", ["live", "batch"]),
    ],
)
def test_the_lane_of_a_sample(sample: Any, keys: str, lanes: list[str]) -> None:
    """Its own key first; else live if the job is, or if the sample is small."""
    world = sampled(rows=10, sample=sample, recipe=RECIPE + keys)
    world.split()
    assert [item["lane"] for item in world.shard_items] == lanes


def test_a_low_cost_goes_on_by_itself() -> None:
    """Not even the projection's high end is over the ceiling; no one is asked."""
    world = sampled(rows=10, sample={"rows": 3, "continue_under_usd": 0.01})
    shown = world.sample()
    assert (shown.rest, world.report["rest"]["becomes"]) == ("ask", "ask")
    assert "continue_under_usd (0.01)" in shown.reason


def test_a_cost_that_may_be_over_waits() -> None:
    """One answer is no sample of how answers differ, so the high end counts max_tokens."""
    world = sampled(rows=1_000, sample={"rows": 1, "continue_under_usd": 0.01})
    assert world.sample().rest == "wait"
    projection = world.report["projected"]
    assert projection["expected_usd"] < 0.01 < projection["high_usd"]
    assert "may exceed continue_under_usd (0.01)" in world.report["rest"]["reason"]


def test_an_unknown_price_never_goes_on_by_itself() -> None:
    """What is not known is not nothing."""
    world = sampled(rows=10, sample={"rows": 3, "continue_under_usd": 1000})
    world.api = FakeBatchApi(result_of=lambda _request: succeeded("hm", model="claude-next"))
    assert world.sample().rest == "wait"
    assert (world.report["spent_usd"], world.report["projected"]) == (None, None)


def test_a_sample_without_answers_is_shown_and_waits() -> None:
    """All its rows failed: there is no cost to project, and a person has to look."""
    world = sampled(rows=10, sample={"rows": 3, "continue_under_usd": 1000})
    world.api = FakeBatchApi(result_of=lambda _request: errored("invalid_request_error"))
    assert world.sample().rest == "wait"
    assert world.report["tally"]["failed"] == 3
    assert world.report["projected"] is None


def test_a_sample_that_failed_ends_the_job() -> None:
    """Its shard has a reason; nothing more is asked, and one fault tells of the rest, not one for each shard."""
    world = sampled(rows=10, sample=3)
    world.rows = 3
    world.split()
    world.ledger.fail(JOB, ShardFailure(0, "SubmissionRefused", '{"errorMessage": "too large"}'))
    shown = world.show()
    assert shown.rest == "leave"
    summary = world.close()
    assert summary.status == "failed"
    assert [(fault.type, fault.shard) for fault in summary.faults] == [("SampleFailed", None), ("SubmissionRefused", 0)]
    assert "SubmissionRefused: too large" in summary.faults[0].message
    assert not world.api.created


def test_a_sample_of_rejects_only_ends_the_job() -> None:
    """A shard full of rows that cannot be asked shows nothing, so it is no sample to go on from."""
    world = sampled(body=b"x,y\n1\n2\n3,4\n5,6\n", sample=3)
    world.rows = 2
    assert world.split().asks == "sample"
    assert world.show().rest == "leave"
    assert "None of its 2 rows can be sent" in world.close().faults[0].message


def test_nobody_approves_in_time() -> None:
    """The job ends with the sample's answers; the rest is marked, and is no failure of the job's."""
    world = sampled(rows=6, sample=2)
    world.sample()
    world.wait()
    assert world.show(time_is_over=True).rest == "leave"
    summary = world.close()
    assert (summary.status, summary.faults[0].type, len(summary.faults)) == ("canceled", "JobNotApproved", 1)
    assert _statuses(world) == ["answered"] * 2 + ["not_sent"] * 4
    story = row_story(world.store, JOB, 5, ledger=world.ledger)
    assert (story.status, story.error) == ("not_sent", summary.faults[0].message)
    assert "nobody approved the sample in time" in world.result("failed.jsonl").decode()


def test_an_approval_at_the_last_moment_counts() -> None:
    """The time was over, and the approval came before that was looked at."""
    world = sampled()
    world.sample()
    world.approve()
    assert world.show(time_is_over=True).rest == "ask"


def test_a_resume_is_no_approval() -> None:
    """The sample is shown again, at no cost, and waits again; its approval then holds for every later execution."""
    world = sampled(rows=6, sample=2)
    world.sample()
    world.show(time_is_over=True)
    world.close()
    world.resume()
    assert world.sample().rest == "wait"
    assert len(world.api.created) == 1
    world.approve()
    world.resume()
    assert world.sample().rest == "ask"
    assert world.go_on().status == "succeeded"
    assert sum(len(sent) for sent in world.api.created.values()) == 6


def test_a_cancel_while_it_waits() -> None:
    """The halt is written, then the bell is rung: the job is closed with the sample's answers."""
    world = sampled(rows=6, sample=2)
    world.sample()
    world.wait()
    world.ledger.halt(JOB, Halt(JobCanceled.__name__, "you canceled it", START))
    assert world.wake() == 1
    assert world.show().rest == "leave"
    summary = world.close()
    assert (summary.status, [fault.type for fault in summary.faults]) == ("canceled", ["JobCanceled"])
    assert _statuses(world) == ["answered"] * 2 + ["not_sent"] * 4


@pytest.mark.parametrize("fact", ["approved", "canceled"])
def test_who_comes_to_wait_after_the_fact_is_woken_at_once(fact: str) -> None:
    """The token is kept before the facts are read, so that none falls between."""
    world = sampled()
    world.sample()
    if fact == "approved":
        assert not world.approve().is_heard
    else:
        world.ledger.halt(JOB, Halt(JobCanceled.__name__, "you canceled it", START))
    assert world.wait("late")
    assert world.tokens.succeeded == {"late": {}}


def test_a_bell_is_rung_for_all_and_again() -> None:
    """A token that is gone stops no other; an approval that was cut off before it rang is repeated."""
    world = sampled()
    world.sample()
    for token in ("gone", "here"):
        world.wait(token)
    world.tokens.gone.add("gone")
    world.approvals.approve(JOB, START)  # and the attempt died
    assert world.approve().is_heard
    assert set(world.tokens.succeeded) == {"here"}
    again = world.approve()
    assert (again.at, again.is_heard) == (START, False)


def test_finish_within_does_not_run_while_a_person_thinks() -> None:
    """The rest's deadline counts from the approval; else a late approval would make it late, and twice as dear."""
    world = sampled(recipe=RECIPE + "finish_within: 1h\n")
    world.sample()
    world.clock.advance(86_400)
    world.approve()
    assert world.show().deadline == int((START + timedelta(hours=25)).timestamp())


def test_without_an_approval_the_deadline_is_the_uploads() -> None:
    """A job that goes on by itself has waited for nobody."""
    world = sampled(recipe=RECIPE + "finish_within: 1h\n", sample={"rows": 3, "continue_under_usd": 1})
    assert world.sample().deadline == int((START + timedelta(hours=1)).timestamp())


def test_longer_rows_behind_the_sample_cost_more() -> None:
    """Input is scaled by how long the rest's requests are."""
    short, long = b"x\n" + b"a\n" * 10, b"x\n" + b"a\n" * 5 + b"a" * 4_000 + b"\n" * 1
    even, uneven = sampled(body=short, sample=5), sampled(body=long, sample=5)
    even.sample()
    uneven.sample()
    one_of_five = even.report["projected"]["expected_usd"] / 2 + 1.75e-6
    assert uneven.report["projected"]["expected_usd"] > 2 * one_of_five


def test_a_showing_given_up_for_dead_writes_nothing_later() -> None:
    """A newer one has begun: what the older one saw is outdated."""
    world = sampled()
    world.sample()
    world.clock.advance(60)
    assert world.show().rest == "wait"
    newest = world.result("sample.json")
    world.clock.time = START
    with pytest.raises(JobClosedSince):
        world.show()
    assert world.result("sample.json") == newest


def test_a_showing_that_is_overtaken_writes_nothing() -> None:
    """Another one begins while this one reads: what that one saw stays."""
    world = sampled()
    world.sample()
    shown = world.result("sample.csv"), world.result("sample.json")

    def another_begins(key: str) -> None:
        if "/parts/" in key:
            world.store.objects[KEYS.showing] = b'{"began": "2026-11-22T12:30:00Z"}'

    world.store.on_read = another_begins
    with pytest.raises(JobClosedSince):
        world.show()
    assert (world.result("sample.csv"), world.result("sample.json")) == shown


def test_a_job_without_a_sample_has_none_to_show() -> None:
    """The state machine never asks for it; a hand that does is told."""
    world = SampledWorld()
    world.upload = dropped(b"x\n1\n").upload
    with pytest.raises(InvariantBroken, match="no sample"):
        world.show()


def test_the_showing_is_tried_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that says each time that another has written ends in its own error, which Step Functions catches."""
    world = sampled()
    world.sample()
    writes: list[str] = []

    def changed(key: str, body: bytes, **_guard: Any) -> None:
        writes.append(key)
        raise ObjectChanged(key)

    monkeypatch.setattr(world.store, "write", changed)
    with pytest.raises(ObjectChanged):
        world.show()
    assert writes == [KEYS.showing] * 3
