"""The throughput of one live lane worker, compared with chunk and gather, the SDK in a window, and bare aiohttp.

    python -m benchmarks.live_lane [--quick | --smoke]

Server and client are separate processes. The server is `fast_server`, because the emulator is the bottleneck from a few
hundred requests per second on (see the last rows). Each figure is the median of its repeats, which take turns, so that
a noisy minute affects all contenders. It prints a Markdown table, writes benchmarks/results/live_lane.json, and
exits with 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.findings import Scale, add_scale

RESULTS = Path("benchmarks/results/live_lane.json")
LATENCIES = {"constant 200 ms": (0.2, 0.0), "lognormal 1.2 s": (1.2, 0.6)}
WINDOWS = (50, 200, 500)
CHUNKS = (5, 50)
SERVERS = {
    "fast": [sys.executable, "-m", "benchmarks.fast_server", "--seconds", "{0}", "--sigma", "{1}"],
    "emulator": [
        sys.executable, "-m", "batchdrop.local.claude_api", "--latency-seconds", "{0}", "--latency-sigma", "{1}",
        "--messages-rpm", "100000000",
    ],
}  # fmt: skip
COLD = {
    "answer_requests, the handler alone": "",
    "… and its connection to the API": "import aiohttp",
    "… and its AWS clients": "import aiohttp, boto3; boto3.client('s3'); boto3.resource('dynamodb').Table('x')",
    "import anthropic, for comparison": None,
}
HANDLER = (
    "import importlib.util as u; s = u.spec_from_file_location('app', 'functions/answer_requests/app.py'); "
    "s.loader.exec_module(u.module_from_spec(s))"
)
Figures = dict[str, float]
SECONDS: dict[Scale, tuple[float, float]] = {"full": (3, 5), "quick": (2, 3), "smoke": (0.5, 0.5)}  # warm-up, measured


@contextmanager
def server(kind: str, seconds: float, sigma: float) -> Iterator[str]:
    """Run a server in a separate process; yield its address."""
    command = [part.format(seconds, sigma) for part in SERVERS[kind]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().rpartition(" ")[2].strip()
        finally:
            process.terminate()


def measured(contender: str, url: str, window: int, *, scale: Scale) -> Figures:
    """Run one client; return requests a second, and CPU seconds for 1,000 of them."""
    warm, seconds = SECONDS[scale]
    times = ["--warm", f"{warm}", "--seconds", f"{seconds}"]
    command = [sys.executable, "-m", "benchmarks.live_contenders", contender, url, str(window), *times]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    answers = max(told["answers"], 1)
    return {"rps": answers / told["seconds"], "cpu_s_per_1000": 1000 * told["cpu"] / answers}


def cases(latency: str, scale: Scale) -> list[tuple[str, str, int]]:
    """Return (server, contender, window) of one latency."""
    if scale == "smoke":
        return [("fast", name, 50) for name in ("sdk_gather", "sdk_window", "bare", "ours")]
    listed = [("fast", "sdk_gather", chunk) for chunk in CHUNKS]
    for window in WINDOWS:
        listed += [("fast", name, window) for name in ("sdk_window", "bare", "ours")]
    if latency == "constant 200 ms":
        listed += [("emulator", name, 500) for name in ("bare", "ours")]
    return listed


def all_figures(scale: Scale) -> dict[str, dict[str, float]]:
    """Measure everything; the keys are `latency | server | contender | window`."""
    samples: dict[str, list[Figures]] = {}
    for latency, (seconds, sigma) in list(LATENCIES.items())[: 1 if scale == "smoke" else None]:
        with server("fast", seconds, sigma) as fast, server("emulator", seconds, sigma) as emulator:
            urls = {"fast": fast, "emulator": emulator}
            for _ in range(3 if scale == "full" else 1):
                for kind, contender, window in cases(latency, scale):
                    figures = measured(contender, urls[kind], window, scale=scale)
                    samples.setdefault(f"{latency} | {kind} | {contender} | {window}", []).append(figures)
    return {
        key: {name: statistics.median(one[name] for one in taken) for name in taken[0]}
        for key, taken in samples.items()
    }


def cold_starts(processes: int) -> dict[str, float]:
    """Return the CPU seconds of imports, each the median of some processes."""
    return {name: statistics.median(_import_cpu(more) for _ in range(processes)) for name, more in COLD.items()}


def _import_cpu(more: str | None) -> float:
    imported = "import anthropic" if more is None else f"{HANDLER}\n{more}"
    program = f"import time; t = time.process_time()\n{imported}\nprint(time.process_time() - t)"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env=_environment()
    )
    return float(done.stdout.split()[-1])


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_TRACE_DISABLED": "true"}


def bars(figures: dict[str, dict[str, float]], cold: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Return each bar: the measured value and the required one."""

    def rps(latency: str, contender: str, window: int) -> float:
        return figures[f"{latency} | fast | {contender} | {window}"]["rps"]

    constant, lognormal = LATENCIES
    found = {
        f"ours / bare, {latency}, {window} open": (rps(latency, "ours", window) / rps(latency, "bare", window), 0.9)
        for latency in LATENCIES
        for window in WINDOWS
    }
    found["ours / SDK window, constant, 500 open"] = rps(constant, "ours", 500) / rps(constant, "sdk_window", 500), 6.0
    found["ours / chunk and gather, lognormal, 50"] = rps(lognormal, "ours", 50) / rps(lognormal, "sdk_gather", 50), 3.5
    found["0.5 s / CPU of the handler's imports"] = 0.5 / cold["answer_requests, the handler alone"], 1.0
    return found


def table(figures: dict[str, dict[str, float]], cold: dict[str, float]) -> str:
    """Return the figures in Markdown."""
    lines = ["| latency | server | client | open | requests/s | CPU s per 1,000 |", "|---|---|---|---|---|---|"]
    for key, one in figures.items():
        lines.append(f"| {key} | {one['rps']:,.0f} | {one['cpu_s_per_1000']:.2f} |")
    lines += ["", "| import | CPU s |", "|---|---|", *(f"| {name} | {cpu:.2f} |" for name, cpu in cold.items())]
    return "\n".join(lines)


def main() -> int:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser()
    add_scale(parser)
    scale: Scale = parser.parse_args().scale
    figures, cold = all_figures(scale), cold_starts(1 if scale == "smoke" else 5)
    print(table(figures, cold))
    if scale == "smoke":
        return 0
    found = bars(figures, cold)
    for name, (value, least) in found.items():
        print(f"{'reached' if value >= least else 'MISSED '} {name}: {value:.2f} (at least {least:g})")
    _write({"scale": scale, "figures": figures, "cold_cpu_s": cold, "bars": found})
    return int(any(value < least for value, least in found.values()))


def _write(found: dict[str, Any]) -> None:
    about = {"date": datetime.now(UTC).strftime("%Y-%m-%d"), "python": platform.python_version()}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({**about, **found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
