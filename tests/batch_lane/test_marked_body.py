"""Marking while sending: which shards are marked, what is sent, and what a budget holds for it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from batchdrop.admission.budget_ledger import JobBudget
from batchdrop.batch_lane.marked_body import MarkedBody
from batchdrop.batch_lane.submit_shard import StoredBody
from batchdrop.batch_lane.warm_prefix import WarmPrefix
from batchdrop.errors import InvariantBroken
from batchdrop.job.cache_mark import read_mark
from batchdrop.job.pilot import PRIMER_SHARD, PROBE_SHARD
from batchdrop.job.shard_state import ShardState
from tests.jobs import JOB, KEYS, World, dropped, reviews

RULES = "Read the whole review before you decide. " * 120
MARK = b'"cache_control"'


def _world(**keys: Any) -> World:
    recipe = {
        "model": "claude-sonnet-5-5",
        "prompt": "ask {{ x }}",
        "max_tokens": 16,
        "lane": "batch",
        "system": {"text": RULES, "cache": True},
        **keys,
    }
    world = dropped(reviews(200), recipe=json.dumps(recipe), rows=100)
    assert world.split().finished
    return world


def _state(world: World, shard: int, *, is_pilot: bool = False) -> ShardState:
    leave_at = int((world.clock.now() + timedelta(minutes=20)).timestamp()) if is_pilot else 0
    return msgspec.structs.replace(world.state(shard), marks="batch", leave_at=leave_at)


def _marks(world: World, state: ShardState) -> int:
    """Submit a shard; return how many of its requests were marked, and check the announced size."""
    submitted = world.submit_round(state)
    body = world.api.bodies[submitted.batch_id]  # type: ignore[union-attr]  # nothing waits here
    assert len(json.loads(body)["requests"]) == state.requests
    return body.count(MARK)


def _prime(world: World, *, read: int = 0, written: int = 0, requests: int = 1) -> None:
    prefix = WarmPrefix(JOB, world.states, world.clock)
    prefix.note(requests=requests, read=read, written=written, ended_at=world.clock.now())


def test_only_the_primer_is_marked_cold() -> None:
    """And only while it is one: left behind, it is a row like any other."""
    world = _world()
    assert _marks(world, _state(world, PRIMER_SHARD, is_pilot=True)) == 1
    world = _world()
    assert _marks(world, _state(world, PRIMER_SHARD)) == 0
    assert _marks(world, _state(world, 3)) == 0


def test_the_probe_needs_a_primed_prefix_and_the_rest_a_probe() -> None:
    """Each step waits for the one before."""
    world = _world()
    assert _marks(world, _state(world, PROBE_SHARD, is_pilot=True)) == 0
    world = _world()
    _prime(world, written=1_600)
    assert _marks(world, _state(world, 3)) == 0
    assert _marks(world, _state(world, PROBE_SHARD, is_pilot=True)) == 4
    _prime(world, read=6_000, written=100, requests=4)
    assert _marks(world, _state(world, 4)) == 94
    world.clock.advance(51 * 60)
    assert not WarmPrefix(JOB, world.states, world.clock).facts().is_warm(world.clock.now())


def test_a_job_that_marks_nothing_reads_no_facts() -> None:
    """Its states do not say so."""
    world = _world()
    _prime(world, written=1_600)
    _prime(world, read=6_000, requests=4)
    state = msgspec.structs.replace(_state(world, 3), marks="")
    assert _marks(world, state) == 0


def test_a_marked_round_holds_what_its_writes_may_cost() -> None:
    """Every request might write the prefix, at twice the price; the hold is that much higher."""
    held = []
    for marks in ("", "batch"):
        world = _world(max_cost_usd=50)
        _prime(world, written=1_600)
        _prime(world, read=6_000, requests=4)
        state = msgspec.structs.replace(_state(world, 3), marks=marks)
        assert _marks(world, state) == (state.requests if marks else 0)
        held.append(JobBudget(JOB, world.states, world.clock).state().held)
    tokens = 1.5 * 1_600 * 100
    assert float(held[1] - held[0]) == pytest.approx(tokens * 2 / 1e6 / 2, rel=0.1)


def test_if_the_cap_has_no_room_for_writes_the_round_is_sent_unmarked() -> None:
    """Better dearer than not at all."""
    world = _world(max_cost_usd=1.4)
    _prime(world, written=1_600)
    _prime(world, read=6_000, requests=4)
    unmarked = float(world.manifest.shards[3].worst_usd) / 2
    recipe = world.manifest.recipe
    assert recipe is not None
    manifest = world.manifest
    manifest.recipe = msgspec.structs.replace(recipe, max_cost_usd=round(unmarked * 1.05, 6))
    world.store.write(KEYS.manifest, msgspec.json.encode(manifest))
    assert _marks(world, _state(world, 3)) == 0


def test_a_body_that_is_not_as_announced_is_not_sent_to_its_end() -> None:
    """A wrong Content-Length would hang the connection."""
    world = _world()
    mark = read_mark(JOB, world.store)
    assert mark is not None
    body = StoredBody(world.store, KEYS.requests(3))
    requests = world.manifest.shards[3].requests
    assert sum(map(len, MarkedBody(body, mark, requests))) == MarkedBody(body, mark, requests).size
    for wrong in (requests - 1, requests + 1):
        with pytest.raises(InvariantBroken, match="marked create body"):
            list(MarkedBody(body, mark, wrong))
