"""Workers that share their permits: how near they come to the limits, how fair they are, what a refusal does to all."""

from __future__ import annotations

import asyncio
import random

import pytest

from batchdrop.answers.result import Usage
from batchdrop.live_lane.fleet_permits import FleetPermits
from batchdrop.live_lane.pace import START as START_PACE
from batchdrop.live_lane.permits import CATCH_UP, DRAW_SECONDS, FIRST_REQUESTS, Need
from batchdrop.live_lane.reply import Answer, Throttled
from tests.live_fakes import PLENTY, FakePermits
from tests.live_lane.fleet import MODEL, LimitedApi, SlowPermits, jain, worker
from tests.proofs import in_check
from tests.virtual_time import LoopClock, at_once, run

STEADY = 150.0
"""Seconds after which every fleet has used up the full bucket that it starts with."""


def _fleet(api: LimitedApi, workers: int, *, share: float = 0.9, seconds: float = 270.0) -> SlowPermits:
    permits = SlowPermits()

    async def all_of_them() -> None:
        await asyncio.gather(*(worker(n, api, permits, seconds=seconds, share=share) for n in range(workers)))

    run(all_of_them())
    return permits


@pytest.mark.parametrize("workers", in_check([1, 4, 16], {1, 4}))
@pytest.mark.parametrize(
    ("api", "per_second"),
    [
        (lambda: LimitedApi(rpm=1800), 30.0),
        (lambda: LimitedApi(rpm=1e6, itpm=180_000), 30.0),
        (lambda: LimitedApi(rpm=1e6, otpm=90_000), 30.0),
        (lambda: LimitedApi(rpm=60), 1.0),
    ],
    ids=["requests", "input tokens", "output tokens", "the lowest tier"],
)
def test_a_fleet_uses_what_it_may(workers: int, api: object, per_second: float) -> None:
    """At its pace it gets 90 % of what its share permits, whatever runs out first; hardly a request is refused."""
    limited: LimitedApi = api()  # type: ignore[operator] # a class from a list
    permits = _fleet(limited, workers)
    permitted = 0.9 * per_second * 120
    assert 0.9 * permitted <= limited.between(STEADY, STEADY + 120) <= 1.06 * permitted
    assert limited.refusals <= max(0.0, FIRST_REQUESTS - limited.rpm) + 0.01 * len(limited.times)
    assert (permits.writes + permits.conflicts) / 270 / workers <= 4.0
    assert permits.writes / 270 / workers <= 2.0


@pytest.mark.parametrize("workers", in_check([4, 16], {4}))
def test_a_fleet_is_fair(workers: int) -> None:
    """Workers that all want more get about the same."""
    api = LimitedApi(rpm=1800)
    _fleet(api, workers)
    assert jain([api.answers.get(number, 0) for number in range(workers)]) >= 0.95


def test_a_job_that_comes_later_gets_its_part() -> None:
    """One job has the whole rate, then two share it: a worker's lots are bounded, so the second need not wait."""
    api, permits = LimitedApi(rpm=1800), SlowPermits()

    async def both() -> list[int]:
        first = [worker(n, api, permits, seconds=240, share=0.9) for n in range(4)]
        second = [_later(120, n, api, permits) for n in range(4, 8)]
        await asyncio.gather(*first, *second, _forget(api, 130))
        return [sum(api.answers.get(n, 0) for n in part) for part in (range(4), range(4, 8))]

    shares = run(both())
    assert jain(shares) >= 0.98


async def _later(seconds: float, number: int, api: LimitedApi, permits: SlowPermits) -> None:
    await asyncio.sleep(seconds)
    await worker(number, api, permits, seconds=240, share=0.9)


async def _forget(api: LimitedApi, seconds: float) -> None:
    await asyncio.sleep(seconds)
    api.answers.clear()


def test_a_fleet_starts_gently() -> None:
    """After a first lot, the first seconds bring a fraction of the rate; a new worker does not jump in."""
    api = LimitedApi(rpm=6000)
    _fleet(api, 4, seconds=60)
    assert api.between(0, 5) <= FIRST_REQUESTS + 5 * 90 * CATCH_UP * (START_PACE + 0.3)
    assert api.between(40, 60) >= 20 * 90 * 0.9


def test_a_fleet_lives_without_headers() -> None:
    """Where nobody tells the limits, the pace climbs until it is refused, and stays near there."""
    used = []
    for rpm in (500, 600, 900):  # one search may end badly by chance
        api = LimitedApi(rpm=rpm, tells=False)
        _fleet(api, 4, seconds=400)
        used.append(api.between(100, 400) / (300 * rpm / 60))
        assert api.refusals <= 0.5 * len(api.times)  # a refusal costs nothing, and waiting costs time
    assert sum(used) / len(used) >= 0.78


def test_others_use_the_same_limits() -> None:
    """When another program drains the limit, the fleet waits, and comes back; few requests are refused."""
    api = LimitedApi(rpm=1800)
    permits = SlowPermits()

    async def drained() -> None:
        await asyncio.gather(*(worker(n, api, permits, seconds=240, share=0.9) for n in range(4)), _drain(api, 100))

    run(drained())
    assert api.between(100, 110) < 10 * 30
    assert api.between(200, 240) >= 0.9 * 40 * 27
    assert api.refusals <= 0.02 * len(api.times)


def test_a_fleet_makes_room_for_others() -> None:
    """Another program takes half of the limit all the time: the fleet takes most of the rest; few are refused."""
    api = LimitedApi(rpm=1800)
    permits = SlowPermits()

    async def shared() -> None:
        others = asyncio.ensure_future(_half(api))
        await asyncio.gather(*(worker(n, api, permits, seconds=400, share=0.9) for n in range(4)))
        others.cancel()

    run(shared())
    assert api.between(100, 400) >= 0.8 * 300 * 15
    assert api.refusals <= 0.05 * len(api.times)


async def _half(api: LimitedApi) -> None:
    while True:
        await asyncio.sleep(1.0)
        api.buckets[0].level = max(0.0, api.buckets[0].now() - 15)


async def _drain(api: LimitedApi, seconds: float) -> None:
    await asyncio.sleep(seconds)
    api.drain()


def test_a_refusal_stops_all_workers() -> None:
    """One worker is told to wait: within a draw the other one asks no more, until that time is over."""

    async def both() -> float:
        permits, clock = FakePermits(), LoopClock()
        one, other = (
            FleetPermits(permits, clock=clock, share=1.0, offload=at_once, jitter=random.Random(n).random).of(MODEL)
            for n in range(2)
        )
        for model in (one, other):
            model.settle(await model.take(100), 100, Usage(25, 10), Answer(b"", PLENTY))
        charge = await one.take(100)
        one.refused(charge, Throttled("rate_limit_error", "", 30.0))
        await asyncio.sleep(2 * DRAW_SECONDS)
        while other.take_at_once(100):
            pass
        await other.take(100)
        return asyncio.get_running_loop().time()

    assert run(both()) >= 30.0


def test_what_is_not_used_goes_back() -> None:
    """A worker that ends leaves its lot to the others."""

    async def closed() -> tuple[float, float]:
        permits = FakePermits()
        fleet = FleetPermits(permits, clock=LoopClock(), share=1.0, offload=at_once, jitter=lambda: 0.5)
        model = fleet.of(MODEL)
        await asyncio.gather(*(model.take(100) for _ in range(3)))
        model._lot += 1
        before = permits.standing[MODEL].state
        await fleet.close()
        after = permits.standing[MODEL].state
        assert before is not None
        assert after is not None
        return before.requests.level, after.requests.level

    before, after = run(closed())
    assert after >= before + 1


def test_who_stops_waiting_leaves_the_permit_to_others() -> None:
    """A wait that is called off in the moment of its grant loses no permit."""

    async def called_off() -> None:
        fleet = FleetPermits(FakePermits(), clock=LoopClock(), share=1.0, offload=at_once, jitter=lambda: 0.5)
        model = fleet.of(MODEL)
        waiting = asyncio.ensure_future(model.take(100))
        await asyncio.sleep(0)
        model._hand_out(1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert waiting.cancelled()
        assert isinstance(model.take_at_once(100), Need)
        await fleet.close()

    run(called_off())
