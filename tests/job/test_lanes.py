"""Lanes: which one answers, what the live one promises, and how a job goes over from one to the other."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from batchdrop.errors import AccountTrouble, DeadlinePassed, JobCanceled, RecipeRejected, SubmissionUncertain
from batchdrop.job.lane import lane_of_job, lane_of_leftovers
from batchdrop.job.shard_state import ShardState
from batchdrop.job.submission import Halt
from batchdrop.limits import MAX_LIVE_TOKENS
from batchdrop.live_lane.plan_slices import SLICE_BYTES, SLICE_REQUESTS, plan_slices
from batchdrop.live_lane.reply import Refused
from batchdrop.recipe.recipe import parse_recipe
from tests.admission_fakes import OpenDoor
from tests.fakes import START, FakeBatchApi, JsonObject, errored, succeeded
from tests.jobs import JOB, KEYS, RECIPE, World, dropped, reviews
from tests.live_fakes import FakeMessageApi

LIVE = f"{RECIPE}lane: live\n"


def _recipe(**keys: Any) -> Any:
    return parse_recipe({"model": "m", "prompt": "p", **keys}, name="r")


@pytest.mark.parametrize(("keys", "requests", "lane"), [
    ({}, 200, "live"), ({}, 201, "batch"), ({"live_rows": 5}, 6, "batch"), ({"live_rows": 0}, 1, "batch"),
    ({"lane": "batch"}, 1, "batch"), ({"lane": "live"}, 10_000_000, "live"),
])  # fmt: skip
def test_the_lane_of_a_job(keys: dict[str, Any], requests: int, lane: str) -> None:
    """What the recipe says; `auto` goes by the number of requests."""
    assert lane_of_job(_recipe(**keys), requests=requests, live_rows=200) == lane


def test_ready_made_requests_are_a_batch() -> None:
    """Without a recipe nobody asked for more than half the price."""
    assert lane_of_job(None, requests=1, live_rows=200) == "batch"


@pytest.mark.parametrize(("keys", "lane", "leftovers", "is_late", "next_lane"), [
    ({}, "batch", 1, False, "batch"), ({"on_leftovers": "live"}, "batch", 200, False, "live"),
    ({"on_leftovers": "live"}, "batch", 201, False, "batch"), ({}, "batch", 10**6, True, "live"),
    ({}, "live", 10**6, False, "live"),
])  # fmt: skip
def test_the_lane_of_leftovers(
    keys: dict[str, Any],
    lane: Any,
    leftovers: int,
    is_late: bool,  # noqa: FBT001 - a table's column
    next_lane: str,
) -> None:
    """Few leftovers go live if the recipe says so; all of them once the time is over; none goes back."""
    found = lane_of_leftovers(_recipe(**keys), lane=lane, leftovers=leftovers, live_rows=200, is_late=is_late)
    assert found == next_lane


def _output(world: World) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline="")))


def test_a_live_job_has_its_answers_in_order() -> None:
    """No Message Batch at all; each row asked once; the summary says which lane answered, and what it cost."""
    world = dropped(reviews(9), recipe=LIVE, rows=4)
    summary = world.run()
    assert [row["answer"] for row in _output(world)] == [f"re: ask row {number}" for number in range(9)]
    assert (len(world.api.created), len(world.messages.asked)) == (0, 9)
    assert [(lane.lane, lane.answers) for lane in summary.lanes] == [("live", 9)]
    assert summary.status == "succeeded"


def test_a_live_answer_costs_the_whole_price() -> None:
    """The batch lane's is half of it."""
    live = dropped(reviews(3), recipe=LIVE).run()
    batch = dropped(reviews(3), recipe=f"{RECIPE}lane: batch\n").run()
    assert (live.tally.answered, batch.tally.answered) == (3, 3)
    assert live.cost.usd == 2 * (batch.cost.usd or 0) > 0


def test_rows_that_fail_for_passing_reasons_have_their_rounds() -> None:
    """In the live lane, too: what a worker could not get is asked again in the next round, the rest is kept."""

    def script(prompt: str, before: int) -> Any:
        return Refused("overloaded_error", "busy") if prompt == "ask row 1" and before == 0 else None

    world = dropped(reviews(3), recipe=LIVE)
    world.messages = FakeMessageApi(script=script)
    assert world.run().tally.answered == 3
    assert sorted(world.messages.asked) == ["ask row 0", "ask row 1", "ask row 1", "ask row 2"]


def _planned(world: World, *, seconds: int = 60) -> Any:
    """Return the slices of a round whose requests end after so many seconds."""
    until = int(world.clock.now().timestamp()) + seconds
    parts: Any = {"store": world.store, "ledger": world.ledger, "clock": world.clock, "admission": OpenDoor()}
    return plan_slices(JOB, 0, 0, until=until, **parts)


def test_slices_cover_the_round() -> None:
    """Each request in one slice, whole lines, at most so many; byte ranges that meet."""
    world = dropped(reviews(SLICE_REQUESTS * 2 + 1), recipe=LIVE + "pilot: false\n")
    world.split()
    plans: Any = _planned(world)
    assert [plan.requests for plan in plans] == [SLICE_REQUESTS, SLICE_REQUESTS, 1]
    body = world.store.read(KEYS.requests(0))
    assert [plans[0].start, *(plan.end for plan in plans)] == [0, *(plan.start for plan in plans[1:]), plans[-1].end]
    for plan in plans:
        assert body[plan.start : plan.end].count(b'{"custom_id"') == plan.requests
        assert body[plan.end - 1 : plan.end] in {b"\n", b"}"}  # the last one takes the body's end along


def test_slices_are_bounded_by_bytes() -> None:
    """A worker holds its slice in memory. A request that is larger on its own is a slice of its own."""
    world = dropped(reviews(1), recipe=LIVE)
    world.split()
    sizes = [3, 3, 3, 9, 1, 3]  # MB
    line = b'{"custom_id":"%d","params":{"x":"%s"}}'
    lines = [line % (number, b"x" * size * 1_000_000) for number, size in enumerate(sizes)]
    world.store.write(KEYS.requests(0), b'{"requests":[\n' + b",\n".join(lines) + b"\n]}")
    plans: Any = _planned(world)
    assert [plan.requests for plan in plans] == [2, 1, 1, 2]
    assert [plan.end - plan.start <= SLICE_BYTES for plan in plans] == [True, True, False, True]


def test_a_collected_round_has_no_slices() -> None:
    """A resumed job does not ask again what is in the bucket."""
    world = dropped(reviews(3), recipe=LIVE)
    world.run()
    assert _planned(world) == []


def test_a_round_whose_time_is_over_has_no_slices() -> None:
    """Its requests end without an answer; each slice carries that time."""
    world = dropped(reviews(3), recipe=LIVE)
    world.split()
    assert _planned(world, seconds=0) == []
    assert [plan.until for plan in _planned(world)] == [int(world.clock.now().timestamp()) + 60]


@pytest.mark.parametrize(("deadline", "seconds"), [(0, 86_400), (600, 600), (-600, 86_400)])
def test_live_requests_end_with_the_jobs_time(deadline: int, seconds: int) -> None:
    """At `finish_within` if that is ahead, else after a day; later rounds have the same end."""
    now = int(START.timestamp())
    state = ShardState(JOB, 0, 1, 3, 0, deadline=deadline and now + deadline).going_live(START)
    assert state.live_until == now + seconds
    assert state.going_live(START + timedelta(hours=9)) == state


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("lane", "live", "max_tokens"),
        ("finish_within", "6h", "finish_within"),
        ("on_leftovers", "live", "on_leftovers"),
        ("sample", {"rows": 2, "lane": "live"}, "sample.lane"),
    ],
)
def test_answers_that_are_too_long_are_not_sent_live(key: str, value: Any, named: str) -> None:
    """The recipe is refused with the limit and the fix; `lane: auto` takes the batch lane, for any number of rows."""
    fields = {"model": "m", "max_tokens": MAX_LIVE_TOKENS + 1, "prompt": "{{ x }}"}
    assert lane_of_job(parse_recipe(fields, name="r.yaml"), requests=1, live_rows=200) == "batch"
    with pytest.raises(RecipeRejected, match=rf"r.yaml.*{named}.*29,867 tokens may take 14 minutes"):
        parse_recipe({**fields, key: value}, name="r.yaml")
    parse_recipe({**fields, key: value, "max_tokens": MAX_LIVE_TOKENS}, name="r.yaml")


@pytest.mark.parametrize("error", [JobCanceled, AccountTrouble])
def test_a_halted_job_is_not_sliced(error: type[Exception]) -> None:
    """Nothing more is asked."""
    world = dropped(reviews(3), recipe=LIVE)
    world.split()
    world.ledger.halt(JOB, Halt(error.__name__, "why", world.clock.now()))
    with pytest.raises(error, match="why"):
        _planned(world)


def test_account_trouble_halts_and_a_resume_asks_the_rest() -> None:
    """What was answered is kept; the other rows say why; going on asks only them."""

    def script(prompt: str, before: int) -> Any:
        return AccountTrouble("no money") if prompt == "ask row 2" and before == 0 else None

    world = dropped(reviews(6), recipe=LIVE)
    world.messages = FakeMessageApi(script=script)
    summary = world.run()
    assert summary.status == "failed"
    answered = [row for row in _output(world) if row["_status"] == "answered"]
    assert 1 <= len(answered) < 6
    assert all("no money" in row["_error"] for row in _output(world) if row["_status"] != "answered")
    asked = len(world.messages.asked)
    world.resume()
    assert world.run().tally.answered == 6
    assert len(world.messages.asked) == asked + 6 - len(answered)


@pytest.mark.parametrize("error", [JobCanceled, AccountTrouble])
def test_what_was_flushed_is_in_the_output_of_a_job_that_stopped(error: type[Exception]) -> None:
    """A round that was cut off before its collection has answers in the bucket, and they are paid; also in the bill."""
    world = dropped(reviews(3), recipe=LIVE)
    world.split()
    world.answer_live(world.state())
    world.ledger.halt(JOB, Halt(error.__name__, "why", world.clock.now()))
    summary = world.close()
    assert summary.status != "succeeded"
    assert [row["_status"] for row in _output(world)] == ["answered"] * 3
    assert [(lane.lane, lane.answers) for lane in summary.lanes] == [("live", 3)]


def test_what_a_resumed_job_flushed_is_in_its_output_when_it_stops_again() -> None:
    """The part that the job made before is out of date then."""
    world = dropped(reviews(3), recipe=f"{LIVE}max_rounds: 1\n")
    world.messages = FakeMessageApi(script=lambda prompt, _before: Refused("odd", "no") if "0" in prompt else None)
    assert world.run().tally.answered == 2
    world.resume()
    state = world.state()
    collected = world.collect_round(state)
    world.messages = FakeMessageApi()
    world.answer_live(state.collected(leftovers=collected.leftovers, lane=collected.lane))
    world.ledger.halt(JOB, Halt(JobCanceled.__name__, "why", world.clock.now()))
    assert world.close().tally.answered == 3


def _late(**keys: Any) -> World:
    """Return a job of four rows whose Message Batch does not end by itself, with an hour to finish."""
    recipe = RECIPE + "".join(f"{key}: {value}\n" for key, value in {"finish_within": "1h", **keys}.items())
    world = dropped(reviews(4), recipe=recipe)
    world.poll_seconds, world.ends_by_itself = 300.0, False
    return world


def test_a_job_that_is_late_goes_over_to_the_live_lane() -> None:
    """The Message Batch is canceled at the deadline, its answers are kept, the rest is answered live."""
    world = _late()
    world.api = _Canceling(result_of=_half_done)
    summary = world.run()
    assert (summary.status, summary.tally.answered) == ("succeeded", 4)
    assert len(world.api.created) == 1
    assert sorted(world.messages.asked) == ["ask row 1", "ask row 3"]
    assert [(lane.lane, lane.answers) for lane in summary.lanes] == [("batch", 2), ("live", 2)]


class _Canceling(FakeBatchApi):
    """A service that keeps what was answered before the cancel."""

    def cancel(self, batch_id: str) -> None:
        """Note the cancel."""
        self.cancels.append(batch_id)


def _half_done(request: JsonObject) -> JsonObject:
    row = int(request["custom_id"][-6:])
    return succeeded(f"in the batch {row}") if row % 2 == 0 else {"type": "canceled"}


def test_a_late_job_has_a_live_round_even_if_it_had_all_its_rounds() -> None:
    """`max_rounds: 1` is one round of the batch lane, and then the live one."""
    world = _late(max_rounds=1)
    world.api = FakeBatchApi(result_of=_half_done)
    assert world.run().tally.answered == 4


def test_few_leftovers_go_live_if_the_recipe_says_so() -> None:
    """Another Message Batch for one row would take an hour."""
    world = dropped(reviews(4), recipe=f"{RECIPE}lane: batch\non_leftovers: live\n")
    world.live_rows = 200
    results = {"2": errored("api_error")}
    world.api = FakeBatchApi(result_of=lambda request: results.get(request["custom_id"][-1], succeeded("x")))
    assert world.run().tally.answered == 4
    assert (len(world.api.created), world.messages.asked) == (1, ["ask row 2"])


def test_an_answer_that_two_workers_were_paid_for_is_in_the_bill() -> None:
    """A lease that was lost in the middle: the row has one answer, the tokens are those of both."""
    world = dropped(reviews(1), recipe=LIVE)
    world.split()
    state = world.state()
    world.answer_live(state)
    [(key, body)] = world.store.under(KEYS.live_answers(0, 0)).items()
    world.store.write(key.replace("00000.jsonl", "00001.jsonl"), body)
    collected = world.collect_round(state)
    assert collected.tally is not None
    assert (collected.tally.answered, collected.tally.tokens[0].answers) == (1, 2)


def test_a_shard_that_is_not_sent_in_time_goes_live() -> None:
    """The queue was full for hours: nothing is sent any more, also not by an attempt that was given up for dead."""
    world = _late()
    world.split()
    world.clock.advance(3_700)
    deadline = world.state().deadline
    with pytest.raises(DeadlinePassed):
        world.submit(deadline=deadline)
    with pytest.raises(SubmissionUncertain):
        world.submit()
    assert not world.api.created


def test_what_was_sent_in_time_is_followed() -> None:
    """A Message Batch that exists is not sent again to the other lane."""
    world = _late()
    world.split()
    sent = world.submit()
    world.clock.advance(3_700)
    assert world.submit(deadline=world.state().deadline) == sent


def test_a_round_that_was_sent_is_not_asked_live_by_a_late_resume() -> None:
    """Its second round was sent, and paid, before the job was stopped; resumed after its time, it is found."""
    world = _late()
    world.api = FakeBatchApi(in_turn=lambda request, before: succeeded("yes") if before else errored("api_error"))
    world.split()
    first = world.state()
    world.submit(deadline=first.deadline)
    world.api.finish()
    collected = world.collect_round(msgspec.structs.replace(first, batch_id="msgbatch_0"))
    assert (collected.leftovers, collected.lane) == (4, "batch")
    world.submit(round_number=1, requests=4, deadline=first.deadline)
    world.api.finish()
    world.clock.advance(3_700)
    world.resume()
    assert world.run().tally.answered == 4
    assert not world.messages.asked
    assert len(world.api.created) == 2
