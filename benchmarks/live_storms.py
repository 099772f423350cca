"""The live lane in storms, in virtual time, beside a bare loop and a scheduler that knows the bucket and every fault.

    python -m benchmarks.live_storms [--quick | --smoke]

The API has one bucket of requests. A share of the calls is refused with 429, 529 or 502 by seeded chance, and a storm
refuses everything for a while. The same faults meet every contender. `of_oracle` is the oracle's time by ours.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import itertools
import json
import math
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batchdrop.live_lane.answer_requests import Waiting, answer_requests
from batchdrop.live_lane.fleet_permits import FleetPermits
from batchdrop.live_lane.reply import Answer, Reply, Throttled, limits_of
from benchmarks.findings import Scale, add_scale
from benchmarks.live_memory import MemoryLeases, MemoryLedger, MemoryStore
from tests.live_fakes import FakePermits, prompt_of
from tests.virtual_time import LoopClock, at_once, run

RESULTS = Path("benchmarks/results/live_storms.json")
MEDIAN, SIGMA = 1.2, 0.6  # seconds of an answer, lognormal
ROUND_TRIP = 0.05  # seconds of a refusal
OK, LIMITED, GATEWAY, OVERLOADED = 200, 429, 502, 529
SMALL_JOB = 200  # rows; these jobs are never shrunk
BAR = 0.9  # of the oracle
WINDOW = 200
DAY = 86_400.0
MESSAGE = b'{"model":"m","content":[],"stop_reason":"end_turn","usage":{"input_tokens":10,"output_tokens":5}}'


@dataclass(frozen=True)
class Weather:
    """A job and what it meets. Shares are of all calls; `storms` are (from, to) in seconds: everything is 529."""

    name: str
    rows: int
    rpm: float
    share_429: float = 0.0
    share_529: float = 0.0
    share_502: float = 0.0
    storms: tuple[tuple[float, float], ...] = ()
    has_headers: bool = True
    retry_after: float | None = 1.0
    workers: int = 1

    def fault(self, row: int, before: int) -> int:
        """Return the status of a row's call after `before` refused ones; OK if it is let in."""
        dice = random.Random(f"{self.name} {row} {before}").random()
        for share, status in ((self.share_429, LIMITED), (self.share_529, OVERLOADED), (self.share_502, GATEWAY)):
            if dice < share:
                return status
            dice -= share
        return OK

    def seconds(self, row: int) -> float:
        """Return the seconds of a row's answer."""
        return MEDIAN * math.exp(SIGMA * random.Random(f"latency {row}").gauss(0, 1))


MIX: dict[str, Any] = {"share_429": 0.2, "share_529": 0.05, "share_502": 0.05}
WEATHERS = (
    Weather("calm", 6_000, 600),
    Weather("20 % 429, 5 % 529, 5 % 502", 6_000, 600, **MIX),
    Weather("the same, 4 workers", 6_000, 600, **MIX, workers=4),
    Weather("the same, without headers", 6_000, 600, **MIX, has_headers=False),
    Weather("calm, without headers", 6_000, 600, has_headers=False),
    Weather("a storm of 529 for 2 minutes", 6_000, 600, storms=((200, 320),)),
    Weather("five storms of 529, 30 s each", 6_000, 600, storms=tuple((at, at + 30) for at in range(50, 450, 80))),
    Weather("the lowest tier", 200, 50),
    Weather("the lowest tier, without headers", 200, 50, has_headers=False),
    Weather("200 rows", 200, 4_000),
    Weather("200 rows, without headers", 200, 4_000, has_headers=False),
    Weather("200 rows, the mix", 200, 4_000, **MIX),
    Weather("200 rows, the mix, without headers", 200, 4_000, **MIX, has_headers=False),
)


@dataclass
class StormyApi:
    """The API: a bucket that holds a minute's requests, and the weather's faults."""

    weather: Weather
    refused: dict[int, int] = field(default_factory=dict)
    calls: int = 0
    answered: int = 0
    level: float = 0.0
    at: float = 0.0

    def __post_init__(self) -> None:
        self.level = self.weather.rpm

    async def send(
        self, params: bytes, *, within: float, is_streamed: bool = False, betas: tuple[str, ...] = ()
    ) -> Reply:
        """Answer, or refuse."""
        del within, is_streamed, betas
        row = int(prompt_of(params).rpartition(" ")[2])
        return await self.ask(row)

    async def ask(self, row: int) -> Reply:
        """Answer a row, or refuse."""
        self.calls += 1
        now = self._refill()
        is_stormy = any(start <= now < end for start, end in self.weather.storms)
        status = OVERLOADED if is_stormy else self.weather.fault(row, self.refused.get(row, 0))
        if status != OK:
            if not is_stormy:
                self.refused[row] = self.refused.get(row, 0) + 1
            await asyncio.sleep(ROUND_TRIP)
            is_global = status != LIMITED
            return Throttled(
                "x", "", None if is_global else self.weather.retry_after, is_global, is_server_error=status == GATEWAY
            )
        if self.level < 1:
            await asyncio.sleep(ROUND_TRIP)
            return Throttled(
                "rate_limit_error",
                "",
                math.ceil((1 - self.level) * 60 / self.weather.rpm),
                limits=limits_of(self._headers()),
            )
        self.level -= 1
        await asyncio.sleep(self.weather.seconds(row))
        self.answered += 1
        return Answer(MESSAGE, self._headers())

    def _refill(self) -> float:
        now = asyncio.get_running_loop().time()
        self.level = min(self.weather.rpm, self.level + (now - self.at) * self.weather.rpm / 60)
        self.at = now
        return now

    def _headers(self) -> dict[str, str]:
        self._refill()
        if not self.weather.has_headers:
            return {}
        return {
            "anthropic-ratelimit-requests-limit": str(self.weather.rpm),
            "anthropic-ratelimit-requests-remaining": str(max(0.0, self.level)),
        }


def ours(weather: Weather) -> tuple[float, StormyApi]:
    """Return the seconds of the live lane: slices of 1,000 rows, and workers as Lambda runs them."""
    api, permits = StormyApi(weather), FakePermits()

    async def one(store: MemoryStore, piece: Any) -> None:
        clock = LoopClock(DAY)
        while True:
            waiting = Waiting(offload=at_once, jitter=random.Random(piece.slice).random)
            fleet = FleetPermits(permits, clock=clock, share=1.0, offload=at_once, jitter=waiting.jitter)
            ended = await answer_requests(
                piece, store=store, ledger=MemoryLedger(), leases=MemoryLeases(), api=api, permits=fleet, clock=clock,
                window=WINDOW, waiting=waiting,
            )  # fmt: skip
            await fleet.close()
            if ended.is_complete:
                return

    async def job() -> float:
        each = math.ceil(weather.rows / weather.workers)
        pieces = []
        for number in range(weather.workers):
            store = MemoryStore()
            rows = range(number * each, min(weather.rows, (number + 1) * each))
            piece = store.lay((_line(row) for row in rows), len(rows))
            pieces.append(one(store, piece))
        await asyncio.gather(*pieces)
        return asyncio.get_running_loop().time()

    return run(job()), api


def _line(row: int) -> bytes:
    params = {"model": "claude-haiku-5-5", "max_tokens": 16, "messages": [{"role": "user", "content": f"row {row}"}]}
    return b'{"custom_id":"job-00000-%06d","params":%b}' % (row, json.dumps(params).encode())


def bare_loop(weather: Weather) -> tuple[float, StormyApi]:
    """Return the seconds of a window of requests that honour retry-after, else back off as the SDK does."""
    api = StormyApi(weather)

    async def work(rows: Iterator[int]) -> None:
        for row in rows:
            for tries in itertools.count():
                reply = await api.ask(row)
                if isinstance(reply, Answer):
                    break
                assert isinstance(reply, Throttled)
                longest = min(0.5 * 2 ** min(tries, 10), 8.0)
                await asyncio.sleep(longest if reply.retry_after is None else reply.retry_after)

    async def job() -> float:
        rows = iter(range(weather.rows))
        await asyncio.gather(*(work(rows) for _ in range(WINDOW)))
        return asyncio.get_running_loop().time()

    return run(job()), api


def oracle(weather: Weather) -> float:
    """Return the least seconds: each row is let in as soon as the bucket and its faults allow, in the best order."""
    open_at = _free_times(weather)
    ends: list[float] = []
    ready: list[tuple[float, int]] = []
    for row in range(weather.rows):
        faults = next(n for n in itertools.count() if weather.fault(row, n) == OK)
        heapq.heappush(ready, (faults * ROUND_TRIP, row))
    while ready:
        at, row = heapq.heappop(ready)
        ends.append(max(at, next(open_at)) + weather.seconds(row))
    return max(ends)


def _free_times(weather: Weather) -> Iterator[float]:
    """Yield when the bucket lets a request in, outside of storms, for requests that take each chance."""
    level, at, rate = weather.rpm, 0.0, weather.rpm / 60
    while True:
        if level < 1:
            at += (1 - level) / rate
            level = 1.0
        for start, end in weather.storms:
            if start <= at < end:
                level = min(weather.rpm, level + (end - at) * rate)
                at = end
        level -= 1
        yield at


def figures(weather: Weather) -> dict[str, Any]:
    """Return one row of the table."""
    best, (seconds, api), (bare, bare_api) = oracle(weather), ours(weather), bare_loop(weather)
    return {
        "weather": weather.name,
        "rows": weather.rows,
        "oracle_s": best,
        "ours_s": seconds,
        "bare_loop_s": bare,
        "of_oracle": best / seconds,
        "calls_a_row": api.calls / weather.rows,
        "bare_calls_a_row": bare_api.calls / weather.rows,
    }


def table(found: list[dict[str, Any]]) -> str:
    """Return the figures in Markdown."""
    lines = ["| " + " | ".join(found[0]) + " |", "|" + "---|" * len(found[0])]
    return "\n".join([*lines, *("| " + " | ".join(map(_shown, row.values())) + " |" for row in found)])


def _shown(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:,.0f}" if value >= SMALL_JOB else f"{value:,.3g}"


def all_figures(scale: Scale) -> list[dict[str, Any]]:
    """Measure every weather; only the small jobs for a smoke test."""
    if scale == "smoke":
        return [figures(one) for one in WEATHERS if one.rows <= SMALL_JOB]
    return [figures(one) for one in WEATHERS]


def missed(found: list[dict[str, Any]]) -> list[str]:
    """Return the bars that were missed."""
    return [f"{one['weather']}: {one['of_oracle']:.3f} (at least {BAR})" for one in found if one["of_oracle"] < BAR]


def main() -> int:
    """Measure and print; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser()
    add_scale(parser)
    scale: Scale = parser.parse_args().scale
    found = all_figures(scale)
    print(table(found))
    print("\n".join(f"MISSED  {line}" for line in missed(found)))
    if scale != "smoke":
        about = {"date": datetime.now(UTC).strftime("%Y-%m-%d"), "bar": BAR, "weathers": found, "missed": missed(found)}
        RESULTS.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return int(bool(missed(found)))


if __name__ == "__main__":
    sys.exit(main())
