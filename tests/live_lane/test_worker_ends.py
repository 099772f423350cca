"""A worker of the live lane that is killed, frozen, late or out of time: what it leaves to the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from batchdrop.errors import SliceBusy
from batchdrop.job.ports import TaskGone
from batchdrop.live_lane.answer_flushes import FLUSH_LINES
from batchdrop.live_lane.answer_requests import LEASE_SECONDS, Waiting
from batchdrop.live_lane.reply import Throttled
from batchdrop.live_lane.slice import SliceCounts
from batchdrop.live_lane.slice_sender import OPENING_RESERVE
from tests.fakes import START
from tests.live_fakes import FakeMessageApi
from tests.live_lane.slices import JOB, SliceWorld
from tests.virtual_time import LoopClock, at_once, run


def test_a_killed_worker_costs_only_what_was_not_flushed() -> None:
    """The next worker waits for the lease to run out, then asks what has no line: open requests, and unflushed ones."""
    world = SliceWorld(rows=200, api=FakeMessageApi(seconds=0.5))

    async def killed() -> SliceCounts:
        first = asyncio.ensure_future(world.work(window=4))
        await asyncio.sleep(9.9)
        _freeze(world)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        _thaw(world)
        flushed = len(world.lines)
        assert 0 < flushed < 200
        with pytest.raises(SliceBusy):
            await world.work()
        await asyncio.sleep(LEASE_SECONDS + 1)
        counts = (await world.work(window=4)).counts
        assert counts.asked == 200 - flushed
        return counts

    assert run(killed()).answered == 200
    assert len(world.lines) == 200
    again = len(world.api.asked) - 200
    assert 0 < again <= 4 + FLUSH_LINES


def _freeze(world: SliceWorld) -> None:
    """Let every write fail, as for a process that was killed."""

    def dead(*_args: Any, **_kwargs: Any) -> None:
        raise ConnectionError

    world.store.write = dead  # type: ignore[method-assign] # the fake misbehaves
    world.leases.release = dead  # type: ignore[method-assign] # the fake misbehaves


def _thaw(world: SliceWorld) -> None:
    del world.store.write
    del world.leases.release


def test_a_worker_that_lost_its_lease_stops_and_says_nothing() -> None:
    """A worker that slept too long finds another in its place: what it paid for is kept, and it asks no more."""
    world = SliceWorld(rows=1000)

    async def usurped() -> Any:
        working = asyncio.ensure_future(world.work(window=4))
        await asyncio.sleep(5)
        later = LoopClock().now().replace(year=2027)
        world.leases.take(JOB, world.piece.name, "other", now=later, until=later)
        return await working

    answered = run(usurped())
    assert (answered.is_ours, answered.is_complete) == (False, False)
    assert 0 < len(world.lines) == len(world.api.asked) < 1000
    assert answered.counts.left == 1000 - len(world.lines)


def test_a_worker_that_cannot_renew_stops_in_time() -> None:
    """By its own clock the lease runs out: it opens nothing that another worker may open, too."""
    slept = SliceWorld(rows=2000)
    clock = _Jumping()
    answered = run(slept.work(window=4, clock=clock))
    assert not answered.is_ours
    assert len(slept.api.asked) == len(slept.lines) < 100


class _Jumping(LoopClock):
    """A clock that jumps by an hour after ten seconds: the process was frozen."""

    def now(self) -> Any:
        """Return the time."""
        now = super().now()
        return now.replace(hour=now.hour + 1) if (now - START).total_seconds() > 10 else now


def test_near_its_end_a_worker_hands_back() -> None:
    """It opens no more, waits for what is open, flushes, and lets go of the lease; the next worker asks the rest."""
    world = SliceWorld(rows=500)

    async def both() -> list[Any]:
        return [await world.work(seconds=OPENING_RESERVE + 30, window=4), await world.work(seconds=2000, window=4)]

    first, second = run(both())
    assert (first.is_complete, first.is_ours) == (False, True)
    assert 0 < first.counts.answered == first.counts.asked < 500
    assert first.counts.left == 500 - first.counts.answered
    assert second.is_complete
    assert (second.counts.answered, second.counts.left, second.counts.handed_back) == (500, 0, 1)
    assert len(world.api.asked) == 500


def test_an_open_request_never_outlives_the_invocation() -> None:
    """Each is given up in time for the last flush."""
    world = SliceWorld(rows=20)
    run(world.work(seconds=200, window=2))
    assert all(timeout <= 180 for timeout in world.api.timeouts)


def test_a_gone_task_ends_the_worker() -> None:
    """Nobody waits for the slice any more: keep what is paid, ask no more, say nothing."""
    world = SliceWorld(rows=1000)
    beats: list[None] = []

    def gone() -> None:
        beats.append(None)
        if len(beats) > 1:
            raise TaskGone

    answered = run(world.work(window=4, beat=gone))
    assert (answered.is_ours, answered.is_complete) == (False, False)
    assert 0 < len(world.lines) == len(world.api.asked) < 1000


def test_nobody_asks_after_the_lease_because_the_ledger_is_slow() -> None:
    """While the lease's renewal hangs, permits may come; the lease may be another worker's then."""
    world = SliceWorld(rows=8)
    times: list[float] = []

    def jammed(_prompt: str, _before: int) -> Any:
        times.append(asyncio.get_running_loop().time())
        return Throttled("rate_limit_error", "slow down", LEASE_SECONDS + 5) if len(times) <= 4 else None

    world.api.script = jammed

    async def slowly(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if call == world.leases.renew:
            await asyncio.sleep(3 * LEASE_SECONDS)
        return await at_once(call, *args, **kwargs)

    run(world.work(window=4, waiting=Waiting(offload=slowly, jitter=lambda: 0.5)))
    assert max(times) < LEASE_SECONDS


def test_a_slice_that_was_let_go_is_free_for_a_worker_whose_clock_is_behind() -> None:
    """A slice that is handed back is taken at once; a busy one would come again after half an hour."""
    world = SliceWorld()
    run(world.work())
    [standing] = world.leases._leases.values()
    assert standing.until <= START + timedelta(seconds=1)


def test_the_lease_is_kept_until_the_last_answer() -> None:
    """A worker that only waits for open answers, longer than a lease lasts, still holds its slice."""
    world = SliceWorld(rows=4, api=FakeMessageApi(seconds=100.0))

    async def both() -> Any:
        first = asyncio.ensure_future(world.work(seconds=OPENING_RESERVE + 5))
        await asyncio.sleep(90)
        with pytest.raises(SliceBusy):
            await world.work()
        return await first

    assert run(both()).is_complete
    assert len(world.api.asked) == 4
