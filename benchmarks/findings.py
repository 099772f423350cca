"""What a benchmark found: its cases, each with several contenders, and its bars; as JSON and on the screen."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.measure import Figures, apart, median

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Bar:
    """What must be reached: `measured` is to be at least, or at most, `limit`."""

    what: str
    measured: float
    limit: float
    is_most: bool = False

    @property
    def holds(self) -> bool:
        """Tell whether it is reached."""
        return self.measured <= self.limit if self.is_most else self.measured >= self.limit


@dataclass
class Findings:
    """What one benchmark found: `title` says of what; a line is {case, contender} and the measures."""

    name: str
    title: str
    runs: int
    quick: bool
    lines: list[dict[str, Any]] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    def compare(self, case: str, module: str, contenders: dict[str, str], **arguments: object) -> dict[str, Figures]:
        """Run contenders (name: what the table calls it) in turns, so that a noisy minute hits all of them."""
        samples: dict[str, list[Figures]] = {name: [] for name in contenders}
        for _ in range(self.runs):
            for name, taken in samples.items():
                taken.append(apart(module, name, **arguments))
        found = {name: median(taken) for name, taken in samples.items()}
        for name, called in contenders.items():
            self.line(case, called, found[name])
        return found

    def line(self, case: str, contender: str, figures: Figures) -> None:
        """Keep one line, and print it."""
        kept = {name: value for name, value in figures.items() if name != "facts"}
        self.lines.append({"case": case, "contender": contender, **kept})
        told = "  ".join(f"{name} {value:,.2f}" for name, value in kept.items())
        print(f"{case:<32} {contender:<44} {told}", flush=True)

    def bar(self, what: str, measured: float, limit: float, *, is_most: bool = False) -> None:
        """Keep one bar, and print whether it holds."""
        bar = Bar(what, round(measured, 3), limit, is_most)
        self.bars.append(bar)
        verdict, bound = ("reached" if bar.holds else "MISSED "), "at most" if is_most else "at least"
        print(f"{verdict} {what}: {measured:,.2f} ({bound} {limit:g})", flush=True)

    def write(self) -> int:
        """Write the JSON; return 1 if a bar is missed, for the shell."""
        about = {
            "name": self.name,
            "title": self.title,
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "commit": _commit(),
            "command": f"python -m benchmarks.{self.name}{' --quick' if self.quick else ''}",
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
            "runs": self.runs,
        }
        bars = [{**asdict(bar), "holds": bar.holds} for bar in self.bars]
        path = RESULTS / f"{self.name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({**about, "lines": self.lines, "bars": bars, **self.more}, indent=1) + "\n", "utf-8")
        return int(not all(bar.holds for bar in self.bars))


def begin(name: str, title: str, *, runs: int = 3) -> Findings:
    """Read the command line: `--quick` is one run of smaller inputs, `--runs` how many are taken the median of."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=title)
    parser.add_argument("--quick", action="store_true", help="one run, smaller inputs; bars are for the full size")
    parser.add_argument("--runs", type=int, default=None, help=f"figures are medians of so many runs ({runs})")
    options = parser.parse_args()
    print(f"# {title}")
    return Findings(name, title, options.runs or (1 if options.quick else runs), options.quick)


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a folder for inputs and outputs; it is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="batchdrop-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _commit() -> str:
    """Return the commit that is measured; `-dirty` if it is changed, but for what benchmarks found."""
    changed = _git("status", "--porcelain", "--", ":/", ":(exclude,top)benchmarks/results")
    return (_git("rev-parse", "--short", "HEAD") or "unknown") + ("-dirty" if changed else "")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], check=False, capture_output=True, text=True).stdout.strip()
