"""Run many schedules, or replay one: `make faults`, `make faults SEED=17`, `make faults SEED=104 KIND=strays`.

python -m tests.faults --all
python -m tests.faults --all --quick
python -m tests.faults --schedules 2000 --kind strays --first 2000
python -m tests.faults --seed 17
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from tests.faults.kinds import KINDS
from tests.faults.many import Totals, log_nothing, run_many
from tests.faults.run import run_seed
from tests.faults.schedule import schedule_of

CHUNK = 20
PLAIN, EACH = 2_000, 500  # schedules of `--all`
QUICK = 10  # --quick runs one in so many
COLUMNS = ("schedules", "rows", "billed", "lost", "paid twice", "failed", "seconds", "per second")


def table(totals: Totals, seconds: float) -> str:
    """Return the table that one kind prints."""
    rows = [
        ("schedules", totals.schedules),
        ("rows", totals.rows),
        ("requests billed", totals.billed),
        ("rows lost", totals.lost),
        ("rows paid twice", totals.paid_twice),
        ("schedules that failed", len(totals.failing)),
        ("", ""),
        *sorted(totals.counts.items(), key=lambda pair: (-pair[1], pair[0])),
        ("", ""),
        *((f"job's last word: {ending}", times) for ending, times in totals.endings.most_common()),
        ("", ""),
        ("seconds", round(seconds)),
    ]
    return "\n".join(
        f"{name:<44}{f'{value:,}' if isinstance(value, int) else value:>9}".rstrip() for name, value in rows
    )


def line(kind: str, totals: Totals, failed: int, seconds: float) -> str:
    """Return the line of one kind in the table of all."""
    figures = [totals.schedules, totals.rows, totals.billed, totals.lost, totals.paid_twice, failed]
    cells = [*(f"{figure:,}" for figure in figures), f"{seconds:,.0f}", f"{totals.schedules / seconds:.1f}"]
    return f"{kind:<12}" + "".join(f"{cell:>12}" for cell in cells)


def replay(seed: int, kind: str) -> int:
    """Run one schedule and print all that happens."""
    say(KINDS[kind](schedule_of(seed)))
    report = run_seed(seed, say, kind=kind)
    say("\n".join(f"FAULT: {fault}" for fault in report.verdict.faults) or "no fault")
    return 1 if report.verdict.faults else 0


def run_kind(pool: ProcessPoolExecutor, kind: str, seeds: range) -> Totals:
    """Run the schedules of one kind; print each that fails."""
    totals = Totals()
    for some in pool.map(partial(run_many, kind=kind), chunks_of(seeds)):
        totals.add(some)
        for seed, faults in some.failing.items():
            say(f"seed {seed} fails: {faults[0]}   (make faults SEED={seed} KIND={kind})")
    return totals


def chunks_of(seeds: range) -> Iterator[list[int]]:
    """Yield the seeds in chunks, each for one process."""
    for place in range(0, len(seeds), CHUNK):
        yield list(seeds[place : place + CHUNK])


def run_all(pool: ProcessPoolExecutor, *, quick: bool) -> int:
    """Run the schedules of every kind, a line for each."""
    say(f"{'kind':<12}" + "".join(f"{name:>12}" for name in COLUMNS))
    began, whole, failed = time.monotonic(), Totals(), 0
    for kind in KINDS:
        started = time.monotonic()
        most = PLAIN if kind == "plain" else EACH
        totals = run_kind(pool, kind, range(most // QUICK if quick else most))
        say(line(kind, totals, len(totals.failing), time.monotonic() - started))
        whole.add(totals)
        failed += len(totals.failing)
    say(line("all", whole, failed, time.monotonic() - began))
    return 1 if failed else 0


def say(words: object) -> None:
    """Print for people, at once."""
    print(words, flush=True)  # noqa: T201 - a program that prints


def main() -> int:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--schedules", type=int, default=PLAIN)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--kind", choices=KINDS, default="plain", help="what else goes wrong")
    parser.add_argument("--all", action="store_true", help=f"{PLAIN:,} plain schedules, and {EACH} of each other kind")
    parser.add_argument("--quick", action="store_true", help=f"with --all: one in {QUICK}")
    options = parser.parse_args()
    if options.seed is not None:
        return replay(options.seed, options.kind)
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn"), initializer=log_nothing) as pool:
        if options.all:
            return run_all(pool, quick=options.quick)
        started = time.monotonic()
        seeds = range(options.first, options.first + options.schedules)
        totals = run_kind(pool, options.kind, seeds)
    say(table(totals, time.monotonic() - started))
    return 1 if totals.failing else 0


if __name__ == "__main__":
    sys.exit(main())
