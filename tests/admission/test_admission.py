"""Admission: the place and the hold of a round, and their release when it is refused, late or canceled."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
import pytest

from batchdrop.admission.admission import MustWait, PlanAgain
from batchdrop.admission.batch_queue import QueuePlaces
from batchdrop.admission.budget_ledger import JobBudget
from batchdrop.batch_lane.submit_shard import Submitted
from batchdrop.errors import (
    AccountTrouble,
    ApiUnavailable,
    BudgetReached,
    DeadlinePassed,
    JobCanceled,
    RateLimited,
    RecipeRejected,
    SubmissionRefused,
    SubmissionUncertain,
)
from batchdrop.job.polling import (
    MOST_WAITS,
    PATIENT_AFTER,
    PATIENT_WAIT,
    TURN_FIRST_WAIT,
    TURN_LONGEST_WAIT,
    turn_seconds,
)
from batchdrop.job.shard_state import ShardState
from batchdrop.job.submission import Halt, ShardFailure
from tests.jobs import JOB, RECIPE, World, dropped, reviews

CAPPED = f"{RECIPE}max_tokens: 100\nlane: batch\nmax_cost_usd: %s\n"


def _places(world: World) -> list[str]:
    return [name.removeprefix(f"{JOB}/") for name in QueuePlaces(world.states, world.clock, 0).state().places]


def _budget(world: World) -> Any:
    return JobBudget(JOB, world.states, world.clock).state()


def _split(rows: int = 4, shard_rows: int = 1, recipe: str = RECIPE, **limits: Any) -> World:
    world = dropped(reviews(rows), recipe=recipe, rows=shard_rows, **limits)
    world.split()
    return world


def _worst(world: World, shard: int = 0) -> Decimal:
    return world.manifest.shards[shard].worst_usd / 2  # of the batch lane


def _capped(rows_under_way: str = "2.5", **more: Any) -> World:
    """Four shards of a row each; so many fit under the cap at the same time."""
    return _split(recipe=CAPPED % (Decimal(rows_under_way) * _row_at_most()), **more)


@cache
def _row_at_most() -> Decimal:
    return _worst(_split(recipe=CAPPED % "1"))


def _cap_of_two() -> str:
    """Return a cap under which two rows are answered, and the third might pass it: each one costs 1.75e-6 dollars."""
    return CAPPED % (_row_at_most() + Decimal("0.0000025"))


# --- the queue


def test_a_full_queue_is_waited_for() -> None:
    """Two requests fit; the third waits outside, and its turn comes when a Message Batch has ended."""
    world = _split(queue_requests=2)
    first, second = (world.submit_round(world.state(shard)) for shard in (0, 1))
    assert isinstance(first, Submitted)
    assert isinstance(second, Submitted)
    assert world.submit_round(world.state(2)) == MustWait("queue", 20)
    assert len(world.api.created) == 2
    world.api.finish()
    places = QueuePlaces(world.states, world.clock, 2)
    assert world.poll(first.batch_id).ended
    places.leave(JOB, 0, 0)
    assert isinstance(world.submit_round(world.state(2)), Submitted)
    assert _places(world) == ["00001/r00", "00002/r00"]


def test_a_waiting_round_that_ends_leaves_nothing() -> None:
    """No intent: another attempt sends when its turn has come, without settling anything."""
    world = _split(queue_requests=1)
    world.submit_round(world.state(0))
    world.submit_round(world.state(1))
    assert world.ledger.submission(JOB, 1, 0) is None


def test_a_shard_that_was_sent_asks_nobody() -> None:
    """A repeated function finds the Message Batch, however full the queue is."""
    world = _split(queue_requests=1)
    first = world.submit_round(world.state(0))
    writes = world.states.writes
    assert world.submit_round(world.state(0)) == first
    assert world.states.writes == writes


def test_the_live_lane_needs_no_place() -> None:
    """It is no Message Batch."""
    world = _split(queue_requests=1, recipe=f"{RECIPE}lane: live\n")
    for shard in range(4):
        assert isinstance(world.plan_round(world.state(shard)), list)
    assert _places(world) == []


@pytest.mark.parametrize("error", [SubmissionRefused("413"), AccountTrouble("402")])
def test_a_refused_shard_leaves(error: Exception) -> None:
    """The round is not sent before someone fixes the fault; other rounds do not wait for it."""
    world = _capped(queue_requests=1)
    world.api.refuse_next = error
    with pytest.raises(type(error)):
        world.submit_round(world.first_wave(0))
    assert (_places(world), _budget(world).held) == ([], 0)


@pytest.mark.parametrize("error", [RateLimited("429"), ApiUnavailable("no connection")])
def test_a_shard_that_is_tried_again_soon_keeps_its_turn(error: Exception) -> None:
    """The API's own queue is full by others' requests: who is first stays first."""
    world = _capped(queue_requests=1)
    world.api.refuse_next = error
    with pytest.raises(type(error)):
        world.submit_round(world.first_wave(0))
    assert _places(world) == ["00000/r01"]
    assert _budget(world).held == _worst(world)
    assert isinstance(world.submit_round(world.first_wave(0)), Submitted)


def test_an_uncertain_shard_keeps_its_turn() -> None:
    """It may be under way."""
    world = _capped()
    world.api.lose_next = SubmissionUncertain("lost")
    with pytest.raises(SubmissionUncertain):
        world.submit_round(world.first_wave(0))
    assert _places(world) == ["00000/r01"]
    assert _budget(world).held == _worst(world)


def test_a_late_shard_leaves_the_queue_and_pays_the_full_price() -> None:
    """The live lane asks the same round: no place any more, and twice as much held."""
    world = _capped("9")
    state = world.state(0)
    world.submit_round(world.state(1))
    world.api.refuse_next = RateLimited("429")
    with pytest.raises(RateLimited):
        world.submit_round(state)
    late = msgspec.structs.replace(state, deadline=int(world.clock.now().timestamp()))
    with pytest.raises(DeadlinePassed):
        world.submit_round(late)
    assert _places(world) == ["00001/r00"]
    world.plan_round(msgspec.structs.replace(late, lane="live"))
    assert _budget(world).holds["0/r0"].usd == 2 * _worst(world)


def test_a_late_shard_does_not_wait_for_its_turn() -> None:
    """Nor longer than until it is late."""
    world = _split(queue_requests=1)
    world.submit_round(world.state(0))
    now = int(world.clock.now().timestamp())
    soon = msgspec.structs.replace(world.state(1), deadline=now + 7)
    assert world.submit_round(soon) == MustWait("queue", 7)
    with pytest.raises(DeadlinePassed):
        world.submit_round(msgspec.structs.replace(soon, deadline=now))


def test_a_halted_job_does_not_wait_for_its_turn() -> None:
    """The next look ends it."""
    world = _split(queue_requests=1)
    world.submit_round(world.state(0))
    assert isinstance(world.submit_round(world.state(1)), MustWait)
    world.ledger.halt(JOB, Halt("JobCanceled", "enough", world.clock.now()))
    with pytest.raises(JobCanceled, match="enough"):
        world.submit_round(world.state(1))


def test_a_contended_ledger_is_a_full_queue() -> None:
    """Nothing was sent, and nothing failed."""
    world = _capped()
    state = world.first_wave(0)
    JobBudget(JOB, world.states, world.clock).release(0, 1)
    world.states.is_contended = True
    assert world.submit_round(state) == MustWait("queue", 20)
    assert not world.api.created


def test_waits_grow_and_spread() -> None:
    """From 20 s to five and a half minutes, for a day; then half an hour; stretched by up to a fifth."""
    assert [turn_seconds(waits, jitter=0) for waits in (0, 1, 20, PATIENT_AFTER - 1)] == [
        TURN_FIRST_WAIT,
        30,
        TURN_LONGEST_WAIT,
        TURN_LONGEST_WAIT,
    ]
    assert turn_seconds(PATIENT_AFTER, jitter=0) == PATIENT_WAIT
    assert turn_seconds(0, jitter=0.999) == 24


def test_after_weeks_of_waiting_the_api_decides() -> None:
    """Its queue says 429, if it is full; a history holds no more waits."""
    world = _split(queue_requests=1)
    world.submit_round(world.state(0))
    assert isinstance(world.submit_round(msgspec.structs.replace(world.state(1), waits=MOST_WAITS)), Submitted)


# --- the budget


def test_a_cap_cuts_no_shard() -> None:
    """Small shards share fewer answers of equal rows, and cost more. A job that fits as a whole needs no waves."""
    tight, roomy = (_split(rows=100, shard_rows=100, recipe=CAPPED % cap).manifest for cap in ("0.002", "1"))
    assert (len(tight.shards), tight.waves) == (1, True)
    assert (len(roomy.shards), roomy.waves) == (1, False)


def test_a_split_that_goes_on_cuts_the_same_shards() -> None:
    """Byte-equal, wherever its time ended."""
    worlds = [dropped(reviews(100), recipe=CAPPED % "0.002") for _ in range(2)]
    worlds[0].split()
    while not worlds[1].split(looks=8).finished:
        pass
    whole, broken = (world.store.under("jobs/") for world in worlds)
    assert {key: body for key, body in whole.items() if "/shards/" in key} == {
        key: body for key, body in broken.items() if "/shards/" in key
    }
    assert worlds[0].manifest.shards == worlds[1].manifest.shards


def test_a_round_holds_what_it_may_cost() -> None:
    """In its lane."""
    world = _capped()
    world.submit_round(world.first_wave(0))
    assert _budget(world).held == _worst(world) > 0


def test_what_does_not_fit_waits_for_those_under_way() -> None:
    """They may cost less than they hold."""
    world = _capped()
    for shard in range(2):
        assert isinstance(world.submit_round(world.first_wave(shard)), Submitted)
    last = world.first_wave(3)
    assert world.submit_round(last) == MustWait("budget", 20)
    assert len(world.api.created) == 2
    world.api.finish()
    batch_id = world.ledger.submissions(JOB)[0].batch_id or ""
    world.collect(batch_id, round_number=1)
    assert _budget(world).spent < _worst(world) / 2
    waited = last.waiting("budget", wait_seconds=20)
    assert world.submit_round(waited) == PlanAgain()
    again = waited.planned_again()
    found = world.collect_round(again)
    state = again.collected(leftovers=found.leftovers, lane=found.lane, worst_usd=found.worst_usd)
    assert (state.shard, state.round, state.waits) == (3, 1, 0)
    assert isinstance(world.submit_round(state), Submitted)


def test_a_round_that_never_fits_is_not_planned_for_ever() -> None:
    """Once more after the others have ended; then the job says what is missing."""
    world = _capped("1.5")
    world.submit_round(world.first_wave(0))
    last = world.first_wave(3)
    assert isinstance(world.submit_round(last), MustWait)
    world.ledger.fail(JOB, ShardFailure(0, "MessageBatchLost", "why"))
    waited = last.waiting("budget", wait_seconds=20)
    assert world.submit_round(waited) == PlanAgain()
    again = waited.planned_again()
    found = world.collect_round(again)
    state = again.collected(leftovers=found.leftovers, lane=found.lane, worst_usd=found.worst_usd)
    with pytest.raises(BudgetReached, match="1 requests"):
        world.submit_round(state)


def test_a_failed_shard_is_not_waited_for() -> None:
    """What it holds may be billed still, and is not given to others; but nobody waits for it."""
    world = _capped()
    for shard in range(2):
        world.submit_round(world.first_wave(shard))
        world.ledger.fail(JOB, ShardFailure(shard, "MessageBatchLost", "why"))
    with pytest.raises(BudgetReached, match=r"is held for rounds with an unknown outcome"):
        world.submit_round(world.first_wave(3))


def test_the_cap_ends_the_job_with_what_is_there() -> None:
    """Red, with a summary that says what was spent, what is next, and what to do; rows not asked say it, too."""
    world = dropped(reviews(4), recipe=_cap_of_two(), rows=1)
    summary = world.run()
    assert (summary.status, summary.faults[0].type) == ("failed", "BudgetReached")
    assert len(summary.faults) == 1
    statuses = [row["_status"] for row in csv.DictReader(io.StringIO(world.result("output.csv").decode()))]
    assert set(statuses) == {"answered", "over_budget"}
    assert statuses == ["answered", "answered", "over_budget", "over_budget"]
    assert (summary.tally.answered, summary.tally.failed) == (2, 2)
    assert world.result("failed.jsonl").count(b"max_cost_usd is $0.0000") == 2
    for part in ("is spent", "may cost up to", "recipes/r.yaml", f"batchdrop resume {JOB}"):
        assert part in summary.faults[0].message
    assert summary.cost.usd == _budget(world).spent == Decimal("0.0000035")


def test_a_raised_cap_goes_on() -> None:
    """Only what has no answer is asked; the bill of both runs stays below the new cap."""
    world = dropped(reviews(4), recipe=_cap_of_two(), rows=1)
    answered = world.run().tally.answered
    asked = len(world.api.created)
    world.store.write("recipes/r.yaml", (CAPPED % "0.001").encode())
    world.resume()
    summary = world.run()
    assert (summary.status, summary.tally.answered) == ("succeeded", 4)
    assert len(world.api.created) - asked == 4 - answered
    assert summary.cost.usd == _budget(world).spent


def test_a_cap_that_is_not_raised_ends_the_resumed_job_too() -> None:
    """Nothing more is asked."""
    world = dropped(reviews(4), recipe=_cap_of_two(), rows=1)
    first = world.run()
    asked = len(world.api.created)
    world.resume()
    assert (world.run().tally, len(world.api.created)) == (first.tally, asked)


@pytest.mark.parametrize("change", [None, b"prompt: [", b"model: claude-new-9\nprompt: p\nmax_cost_usd: 5\n"])
def test_only_the_cap_of_a_job_ever_changes(change: bytes | None) -> None:
    """A recipe that is gone, or asks otherwise now, does not change the job; one that is broken is refused."""
    world = _capped()
    world.resume()
    if change is None:
        del world.store.objects["recipes/r.yaml"]
        world.split()
        assert world.manifest.recipe is not None
        assert world.manifest.recipe.cap == Decimal("2.5") * _row_at_most()
        return
    world.store.write("recipes/r.yaml", change)
    if b"[" in change:
        with pytest.raises(RecipeRejected, match="a closing bracket or a comma is missing"):
            world.split()
        return
    world.split()
    assert world.manifest.recipe is not None
    assert (world.manifest.recipe.model, world.manifest.recipe.max_cost_usd) == ("claude-haiku-5-5", 5)


def test_an_unknown_price_is_refused_before_the_first_row() -> None:
    """Nothing is sent that nobody can reckon."""
    recipe = "model: claude-new-9\nprompt: '{{ x }}'\nmax_cost_usd: 5\n"
    world = dropped(reviews(1), recipe=recipe)
    with pytest.raises(RecipeRejected, match=r"recipes/r.yaml: .* the price of claude-new-9 is not known"):
        world.split()


def test_a_hold_let_go_meanwhile_is_taken_anew() -> None:
    """Another attempt was refused and released the hold, just when this attempt took the right to send."""
    world = _capped()
    state = world.first_wave(0)
    begin = world.ledger.begin

    def begin_late(intent: Any) -> Any:
        JobBudget(JOB, world.states, world.clock).release(0, 1)
        return begin(intent)

    world.ledger.begin = begin_late  # type: ignore[method-assign]  # an attempt that comes between
    assert world.submit_round(state) == MustWait("budget", 1)
    assert not world.api.created
    world.ledger.begin = begin  # type: ignore[method-assign]  # and is gone
    assert isinstance(world.submit_round(state), Submitted)


def test_a_job_without_a_cap_has_no_budget() -> None:
    """Nothing of it is written."""
    world = dropped(reviews(2))
    world.run()
    assert (JOB, "budget") not in world.states.texts


def test_a_waiting_state_says_what_for() -> None:
    """The execution's state tells; what was sent waits for nothing any more."""
    state = ShardState("job", 0, 1, 3, 0).waiting("queue", wait_seconds=20).waiting("budget", wait_seconds=30)
    assert (state.waits, state.waits_for, state.wait_seconds) == (2, "budget", 30)
    assert state.submitted("b", is_collected=False, wait_seconds=1).waits_for == ""
    assert state.sliced([]).waits_for == ""
    assert state.sliced([]).waits == 2
