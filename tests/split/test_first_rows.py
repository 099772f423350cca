"""Which rows go first: by the job's size, its recipe, and what the prompt cache saves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchdrop.job.pilot import PILOT_REQUESTS, PILOT_SECONDS, PROBE_REQUESTS
from tests.fakes import START
from tests.jobs import KEYS, World, dropped, reviews

RULES = "Read the whole review before you decide. " * 120  # 1,600 tokens


def _recipe(**keys: Any) -> str:
    fields = {"model": "claude-sonnet-5-5", "prompt": "ask {{ x }}", "max_tokens": 16, **keys}
    return json.dumps(fields)


def _split(rows: int, *, shard_rows: int = 100_000, **keys: Any) -> World:
    world = dropped(reviews(rows), recipe=_recipe(**keys), rows=shard_rows)
    assert world.split().finished
    return world


def _sizes(world: World) -> list[int]:
    return [item.requests for item in world.manifest.shards]


def _list(world: World, key: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(world.store.read(key)) if world.store.exists(key) else []
    return items


def test_a_small_job_has_no_pilot() -> None:
    """It is one shard, as ever."""
    world = _split(PILOT_REQUESTS - 1)
    assert _sizes(world) == [PILOT_REQUESTS - 1]
    assert world.split().asks == "shards"


def test_a_large_job_sends_its_first_request_alone_and_live() -> None:
    """Its list is read first; what comes next is in the progress."""
    world = _split(PILOT_REQUESTS)
    assert _sizes(world) == [1, PILOT_REQUESTS - 1]
    [pilot] = _list(world, KEYS.pilot)
    assert (pilot["shard"], pilot["lane"], pilot["requests"]) == (0, "live", 1)
    assert [item["lane"] for item in world.shard_items] == ["live", "batch"]
    progress = world.split()
    assert (progress.asks, progress.marks) == ("pilot", "")
    assert progress.leave_at == int(START.timestamp()) + PILOT_SECONDS


@pytest.mark.parametrize(
    "keys",
    [{"pilot": False}, {"sample": 5}, {"max_tokens": 30_000}, {"params": {"user_profile_id": "p"}, "lane": "batch"}],
)
def test_some_jobs_have_no_pilot(keys: dict[str, Any]) -> None:
    """The recipe says so, a sample replaces it, or the live lane cannot send it."""
    world = _split(PILOT_REQUESTS, **keys)
    assert not _list(world, KEYS.pilot)
    assert world.split().asks != "pilot"


def test_a_pilot_can_be_asked_for() -> None:
    """In a job of any size, but for a single request."""
    assert _sizes(_split(5, pilot=True)) == [1, 4]
    world = _split(1, pilot=True)
    assert (_sizes(world), world.split().asks) == ([1], "shards")


def test_where_the_cache_pays_a_primer_and_a_probe_follow() -> None:
    """One request, then twenty; the rest is marked in the batch lane. The body itself is stored unmarked."""
    world = _split(5_000, system=RULES, shard_rows=2_000)
    assert _sizes(world) == [1, 1, PROBE_REQUESTS, 2_000, 2_000, 978]
    assert [item["shard"] for item in _list(world, KEYS.primer)] == [1]
    assert [item["shard"] for item in _list(world, KEYS.probe)] == [2]
    assert world.split().marks == "batch"
    assert world.manifest.cache is not None
    assert world.manifest.cache.primes
    assert b"cache_control" not in world.store.read(KEYS.requests(3))
    assert world.manifest.estimate is not None
    assert world.manifest.estimate.hits == 0.95


def test_a_cheap_job_primes_only_if_the_recipe_insists() -> None:
    """`auto` wants half a dollar; `true` anything. The probe of a small job is small."""
    assert _sizes(_split(200, system={"text": RULES, "cache": "auto"}, lane="batch")) == [200]
    world = _split(200, system={"text": RULES, "cache": True}, lane="batch")
    assert _sizes(world) == [1, 1, 4, 194]
    assert world.split().marks == "batch"


def test_a_large_job_that_does_not_prime_sends_its_second_request_live() -> None:
    """A Message Batch of one row is not worth its polls."""
    world = _split(1_500, system={"text": RULES, "cache": "auto"}, model="claude-haiku-5-5")
    assert _sizes(world)[:3] == [1, 1, PROBE_REQUESTS]
    assert [item["lane"] for item in world.shard_items] == ["live", "live", "batch", "batch"]
    assert (world.split().marks, _list(world, KEYS.primer)) == ("", [])


def test_a_live_job_is_primed_by_its_pilot() -> None:
    """The two APIs share no cache."""
    world = _split(5_000, system=RULES, lane="live")
    assert _sizes(world) == [1, 4_999]
    assert world.split().marks == "live"


def test_the_hit_rate_of_the_last_job_counts() -> None:
    """Below 60 %, nothing is primed."""
    world = dropped(reviews(5_000), recipe=_recipe(system=RULES))
    world.store.write("jobs/prompt-cache/r.json", b'{"hits":0.4}')
    world.split()
    assert world.manifest.cache is not None
    assert not world.manifest.cache.primes
    assert "40%" in world.manifest.cache.reason


def test_a_resumed_job_sends_its_pilot_once() -> None:
    """Its answers are in the bucket: all shards are sent."""
    world = _split(PILOT_REQUESTS)
    world.resume()
    assert world.split().asks == "pilot"
    world.store.write(KEYS.answers(0, 0), b"")
    assert world.split().asks == "shards"


def test_no_row_is_lost_between_the_first_rows_and_the_rest() -> None:
    """The file is looked at once; every row is in one shard, in order."""
    world = _split(2_500, shard_rows=700)
    rows = [row["raw"] for shard in range(len(_sizes(world))) for row in world.stored_rows(shard)]
    assert rows == [f"row {number}" for number in range(2_500)]
