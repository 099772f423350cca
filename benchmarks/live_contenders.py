"""One client of the live lane's benchmark, in a separate process.

    python -m benchmarks.live_contenders CONTENDER URL OPEN [--warm 2] [--seconds 5]

It sends requests for `--seconds`, with OPEN of them open, and prints {"answers", "seconds", "cpu"} of the time after
the warm-up.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from benchmarks.live_memory import MemoryLeases, MemoryLedger, MemoryPermits, MemoryStore

PROMPT = "Classify this review, and say how sure you are: " + "it was good, and cheap, and it came late; " * 8
PARAMS = {
    "model": "claude-haiku-5-5",
    "max_tokens": 256,
    "system": "You label product reviews.",
    "messages": [{"role": "user", "content": PROMPT}],
}
MOST_A_SECOND = 3_000  # requests prepared for each second


class Stopwatch:
    """Counts answers between the end of the warm-up and the end, and their CPU time."""

    def __init__(self, warm: float, seconds: float) -> None:
        self.seconds = seconds
        self._warm = warm
        self.answers = 0
        self._begin = self._end = time.monotonic()
        self._cpu = 0.0
        self.result: dict[str, float] = {}

    def start(self) -> None:
        """Start."""
        self._begin = time.monotonic() + self._warm
        self._end = self._begin + self.seconds
        loop = asyncio.get_running_loop()
        loop.call_later(self._warm, self._warmed)
        loop.call_later(self._warm + self.seconds, self._done)

    def _warmed(self) -> None:
        self.answers, self._cpu, self._begin = 0, time.process_time(), time.monotonic()

    def _done(self) -> None:
        took = time.monotonic() - self._begin
        self.result = {"answers": self.answers, "seconds": took, "cpu": time.process_time() - self._cpu}

    @property
    def is_over(self) -> bool:
        """Return whether to stop."""
        return bool(self.result)


async def _windowed(ask: Callable[[], Awaitable[object]], watch: Stopwatch, window: int) -> None:
    async def one() -> None:
        while not watch.is_over:
            await ask()
            watch.answers += 1

    await asyncio.gather(*(one() for _ in range(window)))


async def sdk_gather(url: str, window: int, watch: Stopwatch) -> None:
    """Chunk and gather: send a window of requests, wait for the last one, then send the next window."""
    ask = _sdk(url)
    watch.start()
    while not watch.is_over:
        await asyncio.gather(*(ask() for _ in range(window)))
        watch.answers += window


async def sdk_window(url: str, window: int, watch: Stopwatch) -> None:
    """The official SDK's asynchronous client with a sliding window."""
    ask = _sdk(url)
    watch.start()
    await _windowed(ask, watch, window)


def _sdk(url: str) -> Callable[[], Awaitable[object]]:
    import anthropic

    client = anthropic.AsyncAnthropic(api_key="sk-bench", base_url=url, max_retries=0)
    arguments: Any = PARAMS
    return lambda: client.messages.create(**arguments)


async def bare(url: str, window: int, watch: Stopwatch) -> None:
    """The minimum with aiohttp: prepared bytes, the body read, nothing parsed."""
    import aiohttp

    body = json.dumps(PARAMS).encode()
    headers = {
        "Authorization": "Bearer sk-bench",
        "anthropic-version": "2026-10-21",
        "content-type": "application/json",
    }
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def ask() -> None:
            async with session.post(f"{url}/v1/messages", data=body) as response:
                await response.read()

        watch.start()
        await _windowed(ask, watch, window)


class _Counted:
    """The adapter, with a counter of answers."""

    def __init__(self, url: str, watch: Stopwatch, access: dict[str, Any] | None = None) -> None:
        from batchdrop.adapters.claude.messages import AiohttpMessageApi

        self._api = AiohttpMessageApi(**(access or {"api_key": "sk-bench"}), base_url=url)
        self._watch = watch

    async def send(
        self, params: bytes, *, within: float, is_streamed: bool = False, betas: tuple[str, ...] = ()
    ) -> Any:
        reply = await self._api.send(params, within=within, is_streamed=is_streamed, betas=betas)
        self._watch.answers += 1
        return reply

    async def close(self) -> None:
        await self._api.close()


class _WatchClock:
    """Real time; the invocation ends with the stopwatch."""

    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch

    def now(self) -> datetime:
        return datetime.now(UTC)

    def remaining(self) -> float:
        return 0.0 if self._watch.is_over else 900.0


async def signed(url: str, window: int, watch: Stopwatch) -> None:
    """The product on Claude Platform on AWS: each request is signed."""
    from botocore.credentials import Credentials

    from batchdrop.adapters.claude.signing import RequestSigner

    role = Credentials("ASIABENCH", "secret", "t" * 800)
    await ours(url, window, watch, {"signer": RequestSigner(role, region="us-east-1", workspace="wrkspc_bench")})


async def ours(url: str, window: int, watch: Stopwatch, access: dict[str, Any] | None = None) -> None:
    """The product: its use case, window, permits, flushes and adapter, with bucket and ledger in memory."""
    from batchdrop.live_lane.answer_requests import answer_requests
    from batchdrop.live_lane.fleet_permits import FleetPermits

    store = MemoryStore()
    piece = store.lay(_requests(), int(MOST_A_SECOND * (watch.seconds + 5)))
    clock = _WatchClock(watch)
    permits = FleetPermits(MemoryPermits(), clock=clock, share=1.0)
    api = _Counted(url, watch, access)
    watch.start()
    answered = await answer_requests(
        piece,
        store=store,
        ledger=MemoryLedger(),
        leases=MemoryLeases(),
        api=api,
        permits=permits,
        clock=clock,
        window=window,
    )
    await permits.close()
    await api.close()
    assert answered.counts.answered == store.lines, "an answer is missing in the bucket"
    assert answered.counts.errored == 0


def _requests() -> Iterator[bytes]:
    params = json.dumps(PARAMS).encode()
    return (b'{"custom_id":"bench-00000-%06d","params":%b}' % (number, params) for number in itertools.count())


CONTENDERS = {"sdk_gather": sdk_gather, "sdk_window": sdk_window, "bare": bare, "ours": ours, "signed": signed}


async def _run(name: str, url: str, window: int, watch: Stopwatch) -> None:
    await CONTENDERS[name](url, window, watch)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("url")
    parser.add_argument("open", type=int)
    parser.add_argument("--warm", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    stopwatch = Stopwatch(options.warm, options.seconds)
    asyncio.run(_run(options.contender, options.url, options.open, stopwatch))
    print(json.dumps(stopwatch.result))
