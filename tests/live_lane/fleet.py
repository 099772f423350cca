"""A fleet in virtual time: workers of several jobs, one shared state, an API that enforces token buckets."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from batchdrop.answers.result import Usage
from batchdrop.live_lane.fleet_permits import FleetPermits
from batchdrop.live_lane.permits import Versioned
from batchdrop.live_lane.reply import Answer, Limits, Throttled, limits_of
from tests.live_fakes import FakePermits
from tests.virtual_time import LoopClock, at_once

MODEL = "claude-haiku-5-5"


class Bucket:
    """A minute's worth, refilled all the time."""

    def __init__(self, per_minute: float) -> None:
        self.limit = self.level = per_minute
        self._at = 0.0

    def now(self) -> float:
        """Return what is in it."""
        at = asyncio.get_running_loop().time()
        self.level = min(self.limit, self.level + (at - self._at) * self.limit / 60)
        self._at = at
        return self.level


@dataclass
class LimitedApi:
    """An API with limits; each answer takes a second and these tokens. It tells its limits, if `tells`."""

    rpm: float
    itpm: float = 1e12
    otpm: float = 1e12
    input_tokens: int = 100
    output_tokens: int = 50
    tells: bool = True
    answers: dict[int, int] = field(default_factory=dict)
    refusals: int = 0
    times: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.buckets = [Bucket(self.rpm), Bucket(self.itpm), Bucket(self.otpm)]

    async def ask(self, worker: int) -> Answer | Throttled:
        """Answer, or refuse with the seconds to wait."""
        for bucket, need in zip(self.buckets, (1, self.input_tokens, 1), strict=True):
            if bucket.now() < need:
                self.refusals += 1
                await asyncio.sleep(0.05)
                return Throttled(
                    "rate_limit_error", "", (need - bucket.level) * 60 / bucket.limit, limits=self._limits()
                )
        self.buckets[0].level -= 1
        self.buckets[1].level -= self.input_tokens
        self.times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(1.0)
        self.buckets[2].now()
        self.buckets[2].level -= self.output_tokens
        self.answers[worker] = self.answers.get(worker, 0) + 1
        return Answer(b"", self._headers())

    def drain(self) -> None:
        """Let somebody else use all that there is."""
        for bucket in self.buckets:
            bucket.level = 0.0

    def between(self, start: float, end: float) -> int:
        """Return how many requests were let in."""
        return sum(start <= time < end for time in self.times)

    def _limits(self) -> Limits:
        return limits_of(self._headers())

    def _headers(self) -> dict[str, str]:
        if not self.tells:
            return {}
        headers = {}
        for kind, bucket in zip(("requests", "input-tokens", "output-tokens"), self.buckets, strict=True):
            headers[f"anthropic-ratelimit-{kind}-limit"] = str(bucket.limit)
            headers[f"anthropic-ratelimit-{kind}-remaining"] = str(max(0.0, bucket.now()))
        return headers


class SlowPermits(FakePermits):
    """The ledger as it is far away: a write takes some milliseconds, in which others come between."""

    async def offload(self, call: object, model: str, seen: Versioned, state: object) -> Versioned | None:
        """Write after a round trip."""
        await asyncio.sleep(0.006)
        answer: Versioned | None = await at_once(call, model, seen, state)  # type: ignore[arg-type] # one store call of several
        await asyncio.sleep(0.006)
        return answer


async def worker(
    number: int,
    api: LimitedApi,
    permits: SlowPermits,
    *,
    seconds: float,
    share: float,
    window: int = 50,
    size: int = 400,
) -> None:
    """Ask without end, until the time is over."""
    fleet = FleetPermits(
        permits, clock=LoopClock(), share=share, offload=permits.offload, jitter=random.Random(number).random
    )

    async def one() -> None:
        model = fleet.of(MODEL)
        while asyncio.get_running_loop().time() < seconds:
            charge = await model.take(size)
            reply = await api.ask(number)
            if isinstance(reply, Throttled):
                model.refused(charge, reply)
            else:
                model.settle(charge, size, Usage(api.input_tokens, api.output_tokens), reply)

    tasks = [asyncio.ensure_future(one()) for _ in range(window)]
    await asyncio.sleep(seconds - asyncio.get_running_loop().time())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await fleet.close()


def jain(counts: list[int]) -> float:
    """Return Jain's index of fairness: 1 where all have the same, 1/n where one has all."""
    return sum(counts) ** 2 / (len(counts) * sum(count * count for count in counts))
