"""Measure a piece of work in a separate process: CPU (user and system), wall time, and peak memory.

A benchmark's module has CONTENDERS: by name, a function that prepares (imports, clients) and returns the work. The
preparation is not measured. The work returns facts, such as the number of rows it wrote.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Work = Callable[[], dict[str, Any]]
Contender = Callable[..., Work]
Figures = dict[str, Any]  # cpu_s, wall_s, peak_rss_mb, grown_mb (growth of the peak), process_cpu_s, facts

ROOT = Path(__file__).parent.parent  # measures this checkout, even if another copy is installed
MEASURES = ("cpu_s", "wall_s", "peak_rss_mb", "grown_mb")
PROGRAM = "from benchmarks.measure import main; main()"


def apart(module: str, contender: str, **arguments: object) -> Figures:
    """Run one contender in a separate process; return the figures of its work."""
    return apart_in(ROOT, module, contender, **arguments)


def apart_in(root: Path, module: str, contender: str, **arguments: object) -> Figures:
    """Run one contender with the code of another checkout, which has its own benchmarks."""
    command = [sys.executable, "-c", PROGRAM, module, contender, json.dumps(arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (root / "layers" / "core", root)))}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=root)
    if done.returncode:
        raise RuntimeError(f"{module} {contender}: {done.stderr}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def measured(work: Work) -> Figures:
    """Run the work here; return its figures and facts."""
    before_mb = _kilobytes("VmRSS") / 1024
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets the high-water mark
    wall, cpu = time.perf_counter(), _cpu_seconds()
    facts = work()
    cpu_s, wall_s = _cpu_seconds() - cpu, time.perf_counter() - wall
    peak_mb = _kilobytes("VmHWM") / 1024
    found = {"cpu_s": cpu_s, "wall_s": wall_s, "peak_rss_mb": peak_mb, "grown_mb": peak_mb - before_mb}
    found["process_cpu_s"] = _cpu_seconds()  # including start and imports
    return {**{name: round(value, 3) for name, value in found.items()}, "facts": facts}


def median(samples: list[Figures]) -> Figures:
    """Return each measure's median; the facts are the same in all runs."""
    middle = {name: statistics.median(one[name] for one in samples) for name in MEASURES}
    return {**middle, "facts": samples[0]["facts"]}


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _kilobytes(name: str) -> int:
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1])


def main() -> None:
    """Measure one contender here, and print its figures as JSON."""
    module, contender, arguments = sys.argv[1:]
    work = importlib.import_module(module).CONTENDERS[contender](**json.loads(arguments))
    print(json.dumps(measured(work)))
