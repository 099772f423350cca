"""The live lane's promises broken on purpose: the judge must say so, and must say nothing where they are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from unittest.mock import patch

import pytest

from batchdrop.finish.stitch_job import JobStitch
from batchdrop.job.ports import TaskTokens
from batchdrop.live_lane import answer_flushes, answer_requests, slice_requests
from batchdrop.live_lane.expected_seconds import ExpectedSeconds
from batchdrop.live_lane.lease import Lease
from batchdrop.live_lane.ports import Leases, MessageApi
from batchdrop.live_lane.reply import Reply
from batchdrop.live_lane.tries import Tries
from tests.faults.api import Claude
from tests.faults.live_schedule import HALTED, SMALL, WORKER
from tests.faults.live_world import JournalStore, LiveWorld, UncollectedWorld
from tests.faults.run import run
from tests.faults.schedule import Rates, Schedule, Stray, plain

ROWS = ("",) * 12


class _Wrapped:
    """Hands everything on to another object."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _ForgetfulStore(JournalStore):
    """Every other flush is lost without a word."""

    lost = 0

    def write(self, key: str, body: bytes, *, guard: Any = None) -> None:
        self.lost += ".live/" in key
        if ".live/" not in key or self.lost % 2:
            super().write(key, body, guard=guard)


class Forgetful(LiveWorld):
    """A world with that store."""

    def __init__(self, schedule: Schedule, claude: Claude, log: Callable[[str], None] | None = None) -> None:
        super().__init__(schedule, claude, log)
        self.store = _ForgetfulStore(self.storm, self.journal, schedule)


class _FreeForAll(_Wrapped):
    """Leases that everybody gets."""

    def take(self, job_id: str, slice_name: str, attempt: str, *, now: datetime, until: datetime) -> Lease:
        return Lease(job_id, slice_name, attempt, until, 1)

    def renew(self, lease: Lease, until: datetime, *, done: int, tries: str = "") -> bool:
        return True

    def release(self, lease: Lease, now: datetime, *, done: int, tries: str = "") -> None:
        """Nobody cares."""


class _NoLease(LiveWorld):
    def leases(self) -> Leases:
        return _FreeForAll(super().leases())


class NoIndex(LiveWorld):
    """Workers look at what is flushed, and ask it all the same."""

    @contextmanager
    def sizes(self) -> Iterator[None]:
        """Hide what is flushed from the workers."""

        def ignored(*args: Any) -> slice_requests.Flushed:
            slice_requests.flushed(*args)
            return slice_requests.Flushed()

        with super().sizes(), patch.object(answer_requests, "flushed", ignored):
            yield


class _Deaf(_Wrapped):
    """Tasks that are never gone, as far as their workers hear."""

    def heartbeat(self, token: str) -> None:
        """Hear nothing."""


class _NoTask(LiveWorld):
    def task_tokens(self) -> TaskTokens:
        return _Deaf(super().task_tokens())


class _NoRoom(LiveWorld):
    """Workers buy on while a flush hangs."""

    @contextmanager
    def sizes(self) -> Iterator[None]:
        with super().sizes(), patch.object(answer_flushes.Flushes, "has_room", lambda *_args: True):
            yield


class _NoClosing(UncollectedWorld):
    """A job that failed leaves flushed answers where they are."""

    @contextmanager
    def sizes(self) -> Iterator[None]:
        no_lines: list[bytes] = []
        with (
            super().sizes(),
            patch.object(JobStitch, "_has_flushes", lambda *_args: False),
            patch("batchdrop.finish.stitch_job.flushed_lines", lambda *_args, **_options: no_lines),
        ):
            yield


class _Twice(_Wrapped):
    """An API client that sends each request twice, as a client with retries does whose answer was lost."""

    async def send(self, params: bytes, **how: Any) -> Reply:
        await self._inner.send(params, **how)
        reply: Reply = await self._inner.send(params, **how)
        return reply


class _Repost(LiveWorld):
    def message_api(self) -> MessageApi:
        return _Twice(super().message_api())


class _NoBound(LiveWorld):
    """Workers buy a lost answer again and again."""

    @contextmanager
    def sizes(self) -> Iterator[None]:
        with super().sizes(), patch.object(Tries, "have_ended", property(lambda _tries: False)):
            yield


class _NoTime(LiveWorld):
    """Workers open requests until their last moment."""

    @contextmanager
    def sizes(self) -> Iterator[None]:
        with super().sizes(), patch.object(ExpectedSeconds, "of", lambda *_args, **_open: 1.0):
            yield


class _Terminated(LiveWorld):
    """The function does not allow its loop."""

    def __init__(self, schedule: Schedule, claude: Claude, log: Callable[[str], None] | None = None) -> None:
        super().__init__(schedule, claude, log)
        self.queue.allows_loops = False


def _stray(before: int) -> Schedule:
    """Return a schedule whose first worker hangs for long before one of its calls, and dies then."""
    stray = Stray(WORKER, 0, before, 100.0, dies=True)
    live = replace(SMALL, flush_lines=1, slice_requests=12, latency=0.3)
    return plain(ROWS, live=live, strays=(stray,))


def _slow(latency: float, seed: int = 0) -> Schedule:
    """Return a schedule whose slice needs several workers, for long answers some thirty."""
    live = replace(SMALL, latency=latency, window=1, slice_requests=30)
    return plain(("",) * 30, seed=seed, live=live, max_rounds=1)


def _schedules(rates: Rates, *, seeds: int = 4, **sizes: Any) -> list[Schedule]:
    return [plain(ROWS, seed=seed, live=replace(SMALL, **sizes), rates=rates) for seed in range(seeds)]


@pytest.mark.parametrize(
    ("make", "schedules", "says"),
    [
        (Forgetful, _schedules(Rates()), "did not flush it"),
        (_NoLease, _schedules(Rates(double_delivery=1.0), slice_requests=12, latency=5.0), "has taken"),
        (NoIndex, _schedules(Rates(crash=0.05), seeds=12), "had flushed"),
        (_NoTask, [HALTED], "was billed 2 times"),
        (_NoRoom, [_stray(before) for before in (5, 6, 7)], "more than 3 it must not"),
        (_NoClosing, [plain(ROWS, live=SMALL)], "has a collected answer"),
        (_Repost, _schedules(Rates()), "again after its answer"),
        (_NoBound, _schedules(Rates(lost_answer=0.9)), "times in one round"),
        (_NoTime, [_slow(40.0, seed) for seed in range(4)], "a worker whose time was over"),
        (_Terminated, [_slow(400.0)], "as a recursive loop"),
    ],
    ids=["flush", "lease", "index", "task", "room", "closing", "twice", "bound", "time", "loop"],
)
def test_what_is_broken_is_caught(make: type[LiveWorld], schedules: list[Schedule], says: str) -> None:
    """The judge cries in one schedule at least, and in none of them where the product is whole."""
    broken = [fault for schedule in schedules for fault in run(schedule, make=make).verdict.faults]
    assert any(says in fault for fault in broken), broken
    whole = UncollectedWorld if issubclass(make, UncollectedWorld) else LiveWorld
    assert [fault for schedule in schedules for fault in run(schedule, make=whole).verdict.faults] == []
