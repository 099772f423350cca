"""A benchmark's findings: cases with several contenders, and bars to reach; as JSON and on the screen."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from benchmarks.measure import Figures, apart, median

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Bar:
    """A goal: `measured` must be at least, or at most, `limit`."""

    what: str
    measured: float
    limit: float
    is_most: bool = False

    @property
    def holds(self) -> bool:
        """Return whether the goal is reached."""
        return self.measured <= self.limit if self.is_most else self.measured >= self.limit


Scale = Literal["full", "quick", "smoke"]
Case = TypeVar("Case")


@dataclass
class Findings:
    """What one benchmark found: `title` says of what; a line is {case, contender} and the measures.

    `scale` is the size of the inputs. `quick` takes a minute, `smoke` some seconds: it only proves that the benchmark
    runs, so its figures are neither kept nor judged.
    """

    name: str
    title: str
    runs: int
    scale: Scale = "full"
    lines: list[dict[str, Any]] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    def of_scale(self, *, full: int, quick: int, smoke: int) -> int:
        """Return the size of an input at this run's scale."""
        return {"full": full, "quick": quick, "smoke": smoke}[self.scale]

    def cases(self, cases: Sequence[Case]) -> Sequence[Case]:
        """Return the cases of this run: a smoke run has the first only."""
        return cases[:1] if self.scale == "smoke" else cases

    def compare(self, case: str, module: str, contenders: dict[str, str], **arguments: object) -> dict[str, Figures]:
        """Run contenders (name: label in the table) in turns, so that a noisy minute affects all of them."""
        samples: dict[str, list[Figures]] = {name: [] for name in contenders}
        for _ in range(self.runs):
            for name, taken in samples.items():
                taken.append(apart(module, name, **arguments))
        found = {name: median(taken) for name, taken in samples.items()}
        for name, called in contenders.items():
            self.line(case, called, found[name])
        return found

    def line(self, case: str, contender: str, figures: Figures) -> None:
        """Add a line, and print it."""
        kept = {name: value for name, value in figures.items() if name != "facts"}
        self.lines.append({"case": case, "contender": contender, **kept})
        told = "  ".join(f"{name} {value:,.2f}" for name, value in kept.items())
        print(f"{case:<32} {contender:<44} {told}", flush=True)

    def bar(self, what: str, measured: float, limit: float, *, is_most: bool = False) -> None:
        """Add a bar, and print whether it is reached."""
        bar = Bar(what, round(measured, 3), limit, is_most)
        self.bars.append(bar)
        verdict, bound = ("reached" if bar.holds else "MISSED "), "at most" if is_most else "at least"
        print(f"{verdict} {what}: {measured:,.2f} ({bound} {limit:g})", flush=True)

    def write(self) -> int:
        """Write the JSON, except for a smoke run; return 1 if a bar is missed, for the shell."""
        if self.scale == "smoke":
            return 0
        about = {
            "name": self.name,
            "title": self.title,
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "commit": _commit(),
            "command": f"python -m benchmarks.{self.name}{'' if self.scale == 'full' else f' --{self.scale}'}",
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
    """Read the command line: the scale of the inputs, and the runs to take the median of."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=title)
    add_scale(parser)
    parser.add_argument("--runs", type=int, default=None, help=f"figures are medians of so many runs ({runs})")
    options = parser.parse_args()
    print(f"# {title}")
    return Findings(name, title, options.runs or (runs if options.scale == "full" else 1), options.scale)


def add_scale(parser: argparse.ArgumentParser) -> None:
    """Add `--quick` and `--smoke`; the parsed `scale` is `full` without them."""
    scale = parser.add_mutually_exclusive_group()
    quick, smoke = "one run, smaller inputs; bars are for the full size", "prove in some seconds that it runs"
    scale.add_argument("--quick", dest="scale", action="store_const", const="quick", default="full", help=quick)
    scale.add_argument("--smoke", dest="scale", action="store_const", const="smoke", help=smoke)


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a temporary folder for inputs and outputs."""
    folder = Path(tempfile.mkdtemp(prefix="batchdrop-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _commit() -> str:
    """Return the measured commit; with `-dirty` if files other than the benchmarks' results are changed."""
    changed = _git("status", "--porcelain", "--", ":/", ":(exclude,top)benchmarks/results")
    return (_git("rev-parse", "--short", "HEAD") or "unknown") + ("-dirty" if changed else "")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], check=False, capture_output=True, text=True).stdout.strip()
