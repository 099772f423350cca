"""After a pilot: what is sent next, and what a refusal stops."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from batchdrop.batch_lane.warm_prefix import WarmPrefix
from batchdrop.errors import BatchdropError, PilotRefused
from batchdrop.finish.check_pilot import PilotChecked, check_pilot
from batchdrop.job.halting import refuse_if_halted
from batchdrop.job.pilot import PILOT_SECONDS, Asks
from batchdrop.job.submission import Halt, ShardFailure
from batchdrop.live_lane.reply import Refused
from tests.jobs import JOB, KEYS, World, dropped, reviews

RULES = "Read the whole review before you decide. " * 120
SAYS = "messages.0: content is too long"


def _world(rows: int = 60, *, cache: bool = True, **keys: Any) -> World:
    recipe = {
        "model": "claude-sonnet-5-5",
        "prompt": "ask {{ x }}",
        "lane": "batch",
        "pilot": True,
        "system": {"text": RULES, "cache": cache},
        **keys,
    }
    world = dropped(reviews(rows), recipe=json.dumps(recipe))
    assert world.split().asks == "pilot"
    return world


def _check(world: World, asks: Asks = "pilot", *, is_first: bool = True) -> PilotChecked:
    return check_pilot(
        world.upload,
        asks,
        store=world.store,
        ledger=world.ledger,
        states=world.states,
        clock=world.clock,
        is_first=is_first,
    )


def test_pilot_primer_probe_and_then_all() -> None:
    """Each list is waited for 20 minutes; the last one for as long as it takes."""
    world = _world()
    world.ask(0)
    until = int(world.clock.now().timestamp()) + PILOT_SECONDS
    checked = _check(world)
    assert (checked.rest, checked.asks, checked.leave_at) == ("ask", "primer", until)
    prefix = WarmPrefix(JOB, world.states, world.clock)
    prefix.note(requests=1, read=0, written=1_600, ended_at=world.clock.now())
    checked = _check(world, "primer")
    assert (checked.rest, checked.asks, checked.leave_at) == ("ask", "probe", until)
    checked = _check(world, "probe")
    assert (checked.rest, checked.asks, checked.leave_at) == ("ask", "shards", 0)


def test_without_a_primed_prefix_there_is_no_probe() -> None:
    """The primer has not ended, or the API did not cache so short a prefix."""
    world = _world()
    checked = _check(world, "primer")
    assert (checked.asks, checked.leave_at) == ("shards", 0)


def test_without_the_cache_all_shards_follow_the_pilot() -> None:
    """Also if the pilot has no answer yet: its time is over."""
    assert _check(_world(cache=False)).asks == "shards"


def test_a_refused_pilot_halts_the_job_with_the_words_of_the_api() -> None:
    """No other shard can be sent; a resumed or redriven job sends them all."""
    world = _world()
    world.messages.script = lambda _prompt, _before: Refused("invalid_request_error", SAYS)
    world.ask(0)
    checked = _check(world)
    assert checked.rest == "leave"
    assert f"nothing is billed: invalid_request_error: {SAYS}. Fix the recipe" in checked.reason
    assert f"`batchdrop resume {JOB}`" in checked.reason
    with pytest.raises(PilotRefused):
        refuse_if_halted(JOB, world.ledger)
    summary = world.close()
    assert (summary.status, summary.faults[0].type) == ("failed", "PilotRefused")
    assert summary.cost.usd == 0
    assert summary.pilot is not None
    assert not summary.pilot.is_answered
    world.resume()
    assert _check(world, is_first=False).asks == "primer"


def test_a_pilot_whose_shard_failed_halts_the_job() -> None:
    """The reason names the error."""
    world = _world()
    world.ledger.fail(JOB, ShardFailure(0, "States.Runtime", "no field"))
    assert "could not be sent, so nothing else was sent: States.Runtime: no field" in _check(world).reason


def test_a_halted_job_stays_halted() -> None:
    """Such as one that was canceled while its pilot was on its way."""
    world = _world()
    world.ledger.halt(JOB, Halt("JobCanceled", "you canceled it", world.clock.now()))
    assert _check(world) == PilotChecked("leave", "pilot", "you canceled it")


def test_the_summary_has_the_pilot_and_the_decision_about_the_cache() -> None:
    """The seconds of its answer, and dollars."""
    world = _world()
    summary = world.run()
    assert summary.status == "succeeded"
    assert summary.pilot is not None
    assert summary.pilot.is_answered
    assert summary.pilot.seconds == pytest.approx(1.0, abs=0.2)
    assert summary.cache is not None
    assert (summary.cache.decision, summary.cache.expected_hits) == ("primed", 0.95)
    assert summary.cache.hits is None
    assert [lane.lane for lane in summary.lanes] == ["batch", "live"]
    again = msgspec.json.decode(world.result("summary.json"))
    assert again["pilot"]["is_answered"]
    assert not world.store.exists("jobs/prompt-cache/r.json")


def test_every_error_of_a_halt_is_known() -> None:
    """`refuse_if_halted` raises it again."""
    assert issubclass(PilotRefused, BatchdropError)
    assert KEYS.pilot.endswith("pilot.json")
