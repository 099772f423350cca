"""Run many schedules, or replay one: `make faults`, `make faults SEED=17`, `make faults SEED=104 KIND=strays`.

python -m tests.faults --schedules 2000 --processes 2
python -m tests.faults --seed 17
python -m tests.faults --kind strays --first 2000
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from tests.faults.kinds import KINDS
from tests.faults.many import Totals, run_many
from tests.faults.run import run_seed
from tests.faults.schedule import schedule_of

CHUNK = 20


def table(totals: Totals, seconds: float) -> str:
    """Return the table that `make faults` prints."""
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


def replay(seed: int, kind: str) -> int:
    """Run one schedule and print all that happens."""
    print(KINDS[kind](schedule_of(seed)))  # noqa: T201 - a program that prints
    report = run_seed(seed, print, kind=kind)
    print("\n".join(f"FAULT: {fault}" for fault in report.verdict.faults) or "no fault")  # noqa: T201 - a table for people
    return 1 if report.verdict.faults else 0


def main() -> int:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--schedules", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--kind", choices=KINDS, default="plain", help="what else goes wrong")
    options = parser.parse_args()
    if options.seed is not None:
        return replay(options.seed, options.kind)
    started = time.monotonic()
    seeds = range(options.first, options.first + options.schedules)
    chunks = [list(seeds[place : place + CHUNK]) for place in range(0, len(seeds), CHUNK)]
    totals = Totals()
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        for some in pool.map(partial(run_many, kind=options.kind), chunks):
            totals.add(some)
            for seed, faults in some.failing.items():
                again = f"make faults SEED={seed} KIND={options.kind}"
                print(f"seed {seed} fails: {faults[0]}   ({again})", flush=True)  # noqa: T201 - a table for people
    print(table(totals, time.monotonic() - started))  # noqa: T201 - a table for people
    return 1 if totals.failing else 0


if __name__ == "__main__":
    sys.exit(main())
