"""A fleet of workers against an API that enforces its limits: throughput, fairness and 429s.

    python -m benchmarks.live_fleet [--quick | --smoke]

The emulator enforces token buckets for requests. Half of the workers serve one job, half another that starts later.
Each worker is a process; the ledger is `permit_server`. Limits are small, so that two cores suffice. It prints a
Markdown table, writes benchmarks/results/live_fleet.json, and exits with 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batchdrop.live_lane.slice_sender import OPENING_RESERVE
from batchdrop.local.claude_api.testing import Emulator
from benchmarks.findings import Scale, add_scale
from benchmarks.live_memory import MemoryLeases, MemoryLedger, MemoryStore
from benchmarks.permit_server import PermitServer, RemotePermits

RESULTS = Path("benchmarks/results/live_fleet.json")
RPM = 2400.0  # 40 requests a second
SHARE = 0.9
FLEETS = (1, 4, 16)
LATER = 10.0  # seconds after the first job, the second one starts
TIMES: dict[Scale, tuple[float, float]] = {"full": (60.0, 60.0), "quick": (60.0, 20.0), "smoke": (2.0, 2.0)}
"""Seconds until all are at their pace, and seconds that are measured."""
WINDOW = 40


class _TimesApi:
    """The adapter; records when answers came."""

    def __init__(self, url: str) -> None:
        from batchdrop.adapters.claude.messages import AiohttpMessageApi

        self._api = AiohttpMessageApi(api_key="sk-bench", base_url=url)
        self.times: list[float] = []

    async def send(
        self, params: bytes, *, within: float, is_streamed: bool = False, betas: tuple[str, ...] = ()
    ) -> Any:
        reply = await self._api.send(params, within=within, is_streamed=is_streamed, betas=betas)
        self.times.append(time.time())
        return reply

    async def close(self) -> None:
        await self._api.close()


class _UntilClock:
    """Real time; no request is sent after `until`."""

    def __init__(self, until: float) -> None:
        self._until = until

    def now(self) -> datetime:
        return datetime.now(UTC)

    def remaining(self) -> float:
        return self._until - time.time() + OPENING_RESERVE


def _line(name: str, number: int) -> bytes:
    content = f"row {number} of {name}"
    params = {"model": "claude-haiku-5-5", "max_tokens": 16, "messages": [{"role": "user", "content": content}]}
    return b'{"custom_id":"%b-00000-%06d","params":%b}' % (name.encode(), number, json.dumps(params).encode())


async def work(options: argparse.Namespace) -> None:
    """Run one worker; print how many answers came between `since` and `until`."""
    from batchdrop.live_lane.answer_requests import answer_requests
    from batchdrop.live_lane.fleet_permits import FleetPermits

    store, clock, api = MemoryStore(), _UntilClock(options.until), _TimesApi(options.url)
    lines = (_line(options.name, number) for number in itertools.count())
    piece = store.lay(lines, int(RPM / 60 * max(options.until - time.time(), 0)) + WINDOW)
    permits = FleetPermits(RemotePermits(options.permits), clock=clock, share=SHARE)
    await asyncio.sleep(max(0.0, options.start - time.time()))
    ledger, leases = MemoryLedger(), MemoryLeases()
    await answer_requests(
        piece, store=store, ledger=ledger, leases=leases, api=api, permits=permits, clock=clock, window=WINDOW
    )
    await permits.close()
    await api.close()
    print(sum(options.since <= moment < options.until for moment in api.times))


def fleet(workers: int, *, ramp: float, steady: float) -> dict[str, Any]:
    """Run a fleet; return its figures over `steady` seconds, after `ramp` seconds to reach its pace."""
    server = PermitServer()
    command = [
        sys.executable,
        "-m",
        "batchdrop.local.claude_api",
        "--messages-rpm",
        str(RPM),
        "--latency-seconds",
        "0.5",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as emulator:
        try:
            assert emulator.stdout is not None
            url = emulator.stdout.readline().rpartition(" ")[2].strip()
            begin = time.time() + 2 + 0.7 * workers  # until all have imported what they need
            window = (begin + ramp, begin + ramp + steady)
            running = [_started(n, url, server.port, begin + LATER * (n % 2), window) for n in range(workers)]
            time.sleep(window[0] - time.time())
            written = server.writes
            time.sleep(window[1] - time.time())
            written = server.writes - written
            answers = [int(one.communicate(timeout=60)[0]) for one in running]
            outcomes = Emulator(url).call_summary()["by_endpoint"]["messages.create"]
        finally:
            emulator.terminate()
    jobs = [sum(answers[0::2]), sum(answers[1::2])] if workers > 1 else [sum(answers)]
    return {
        "workers": workers,
        "of_permitted": sum(answers) / (SHARE * RPM / 60 * steady),
        "refused": outcomes.get("429", 0) / sum(outcomes.values()),
        "jain_workers": jain(answers),
        "jain_jobs": jain(jobs),
        "writes_a_second_a_worker": written / steady / workers,
    }


def _started(number: int, url: str, port: int, start: float, window: tuple[float, float]) -> subprocess.Popen[str]:
    options = {
        "name": f"job{number % 2}w{number}",
        "url": url,
        "permits": port,
        "start": start,
        "since": window[0],
        "until": window[1],
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.live_fleet", "--worker", *flags], stdout=subprocess.PIPE, text=True
    )


def jain(counts: list[int]) -> float:
    """Return Jain's index of fairness: 1 if all have the same share, 1/n if one has everything."""
    return sum(counts) ** 2 / (len(counts) * sum(count * count for count in counts))


LEAST = {"of_permitted": 0.9, "jain_workers": 0.9, "jain_jobs": 0.9}
MOST = {"refused": 0.01, "writes_a_second_a_worker": 2.2}


def missed(one: dict[str, Any]) -> list[str]:
    """Return the bars that a fleet missed."""
    low = [f"{name} {one[name]:.3f} (at least {bar})" for name, bar in LEAST.items() if one[name] < bar]
    return low + [f"{name} {one[name]:.3f} (at most {bar})" for name, bar in MOST.items() if one[name] > bar]


def main(scale: Scale) -> int:
    """Run all fleets, print, write."""
    ramp, steady = TIMES[scale]
    fleets = FLEETS[: 1 if scale == "smoke" else None]
    found = [fleet(workers, ramp=ramp, steady=steady) for workers in fleets]
    print("| " + " | ".join(found[0]) + " |\n|" + "---|" * len(found[0]))
    for one in found:
        print("| " + " | ".join(f"{value:.3g}" for value in one.values()) + " |")
    if scale == "smoke":
        return 0
    all_missed = [f"{one['workers']} workers: {bar}" for one in found for bar in missed(one)]
    print("\n".join(f"MISSED  {line}" for line in all_missed))
    about = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "rpm": RPM,
        "share": SHARE,
        "scale": scale,
        "fleets": found,
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return int(bool(all_missed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    add_scale(parser)
    parser.add_argument("--worker", action="store_true")
    for option, kind in {
        "name": str,
        "url": str,
        "permits": int,
        "start": float,
        "since": float,
        "until": float,
    }.items():
        parser.add_argument(f"--{option}", type=kind)
    given = parser.parse_args()
    if given.worker:
        asyncio.run(work(given))
    else:
        sys.exit(main(given.scale))
