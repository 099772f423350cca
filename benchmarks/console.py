"""The console: browse a job of 1,000,000 rows, and watch a job from 50 pages at once.

    python -m benchmarks.console [--quick] [--runs 3]

The results are filled into their table, then filtered, sorted and counted as the pages do it. A process of its own
serves the pages; its memory counts with the database's. The events are those of a job that changes at each look.
"""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2

from benchmarks.findings import Findings, begin, scratch

WORDS = "the parcel was late and arrived broken but support answered fast 良い品 happy with size and colour".split()  # noqa: SIM905 -- shorter
STREAMS = 50
STREAM_SECONDS = 5
QUERIES = {
    "a label": "is3=negative",
    "a status and a range": "is5=invalid&in4=0.2..0.4",
    "a text in one column": "q=broken+but&in=1",
    "a text in all columns": "q=broken+but",
    "a text, sorted by a number": "q=broken+but&sort=-4",
}


def write_output(path: Path, rows: int) -> None:
    """Write an output of reviews: about 130 bytes a row."""
    rng = random.Random(7)
    texts = [" ".join(rng.choices(WORDS, k=18)) for _ in range(5_000)]
    labels, statuses = ("positive", "neutral", "negative"), ["answered"] * 97 + ["invalid", "failed", "refusal"]
    with path.open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file)
        written.writerow(["id", "text", "stars", "label", "sure", "_status", "_error"])
        for row in range(rows):
            sure = round(rng.random(), 3)
            cells = [f"r-{row:08d}", rng.choice(texts), row % 5 + 1, rng.choice(labels), sure, rng.choice(statuses), ""]
            written.writerow(cells)


@contextmanager
def console(folder: Path) -> Iterator[tuple[httpx2.Client, str, int]]:
    """Serve the pages in a process of its own; yield a client, the path of the results, and the process's id."""
    command = [sys.executable, "-m", "benchmarks.console_server", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            with httpx2.Client(base_url=told["address"], timeout=120) as client:
                client.get(told["entrance"])
                client.headers["cookie"] = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
                yield client, told["address"] + told["job"], process.pid
        finally:
            process.terminate()


def rss_mb(pid: int, what: str = "VmHWM") -> float:
    """Return a process's memory: the most it has had, or what it has."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith(what)).split()[1]) / 1024


def fastest(get: Callable[[], Any], times: int = 5) -> float:
    """Return the seconds of the fastest of some warm runs: the machine's other work is not ours."""
    get()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        get()
        found.append(time.perf_counter() - began)
    return min(found)


def fill(found: Findings, folder: Path, rows: int) -> None:
    """Fill the table in a process of its own, as the console does."""
    from benchmarks.console_server import plan_of

    plan = folder / "plan.json"
    plan.write_bytes(plan_of(folder))
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "batchdrop.cli.ui.results.filling", str(plan)],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ},
    )
    seconds = time.perf_counter() - began
    size = (folder / "rows.duckdb").stat().st_size / 1e6
    found.line(f"prepare {rows:,} rows", "the table", {"wall_s": seconds, "size_mb": size})


def browse(found: Findings, client: httpx2.Client, results: str, rows: int) -> None:
    """Filter, sort and count; a cached answer is not asked for."""
    began = time.perf_counter()
    first = client.get(results)
    seconds = time.perf_counter() - began
    first.raise_for_status()
    found.line(f"first page of {rows:,} rows", "the page", {"wall_s": seconds, "size_mb": len(first.content) / 1e6})
    found.bar("first page, s", seconds, 0.3, is_most=True)
    found.bar("first page, KB", len(first.content) / 1e3, 300, is_most=True)
    slowest = 0.0
    numbers = count(10)  # each count is of another filter, with all stars, so that none is remembered
    for what, query in QUERIES.items():
        page = fastest(partial(client.get, f"{results}/rows?{query}"))
        counts = fastest(partial(_fresh_counts, client, f"{results}/counts?{query}", numbers))
        found.line(f"filter {rows:,} rows: {what}", "rows", {"wall_s": page})
        found.line(f"filter {rows:,} rows: {what}", "counts and histograms", {"wall_s": counts})
        slowest = max(slowest, page)
    found.bar("slowest filter, s", slowest, 0.5, is_most=True)


def _fresh_counts(client: httpx2.Client, path: str, numbers: Iterator[int]) -> None:
    client.get(f"{path}&in2=0..{next(numbers)}").raise_for_status()


def watch(found: Findings, client: httpx2.Client, address: str) -> None:
    """Open event streams, and count what arrives in some seconds."""
    counts = [0] * STREAMS

    def listen(place: int) -> None:
        until = time.monotonic() + STREAM_SECONDS
        with httpx2.stream("GET", f"{address}/events", headers=client.headers, timeout=60) as response:
            for line in response.iter_lines():
                counts[place] += line.startswith("event: live")
                if time.monotonic() > until:
                    return

    threads = [Thread(target=listen, args=(place,)) for place in range(STREAMS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.line(f"{STREAMS} open event streams", "the slowest", {"events_a_second": min(counts) / STREAM_SECONDS})
    found.bar(f"{STREAMS} open event streams, events in each", min(counts), 2)


def main() -> int:
    """Measure all of it."""
    found = begin("console", "The console: a job's results, and its live events")
    rows = found.of_scale(full=1_000_000, quick=200_000, smoke=2_000)
    with scratch() as folder:
        write_output(folder / "output.csv", rows)
        fill(found, folder, rows)
        with console(folder) as (client, job, pid):
            browse(found, client, f"{job}/results", rows)
            watch(found, client, job)
            most = rss_mb(pid)
            found.line(f"serve {rows:,} rows", "the server", {"peak_rss_mb": most})
            found.bar("server's peak RSS, MB", most, 300, is_most=True)
    return found.write()


if __name__ == "__main__":
    sys.exit(main())
