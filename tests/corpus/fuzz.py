"""Break small files of each format at random, and read and write them.

`python -m tests.corpus.fuzz`. Whatever the bytes: rows, rejected rows, or UploadRejected with the file's name; never
another error, a crash, an endless loop or gigabytes. A worker reads one mutation after the other, below a memory limit;
its end names the mutation.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.corpus.mutations import mutated, seeds

MUTATIONS = 4_000
MAX_SECONDS = 10  # for a file of some kilobytes, on a busy machine
MAX_MEMORY = 1_500_000_000  # bytes that one mutation may take
ADDRESS_SPACE = 6_000_000_000  # pyarrow reserves much more than it uses


def main() -> int:
    """Fuzz all formats, or some; print each finding, and the figures of each format."""
    parser = argparse.ArgumentParser(prog="python -m tests.corpus.fuzz")
    parser.add_argument("--mutations", type=int, default=MUTATIONS, help="of each format")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--formats", nargs="*", default=None)
    parser.add_argument("--worker", nargs=2, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--keep", type=Path, help="write the files that are findings to this folder")
    chosen = parser.parse_args()
    if chosen.worker:
        work(chosen.formats[0], chosen.seed, *chosen.worker)
        return 0
    found = sum(fuzz(name, chosen.seed, chosen.mutations, chosen.keep) for name in chosen.formats or seeds())
    return 1 if found else 0


def fuzz(name: str, seed: int, mutations: int, keep: Path | None) -> int:
    """Fuzz one format, and return the number of findings."""
    started, findings, slowest, memory, at = time.monotonic(), 0, 0.0, 0, 0
    counts = {"rows": 0, "refused": 0}
    while at < mutations:
        last = at - 1
        for told in _worker(name, seed, at, mutations):
            last = told["number"]
            if told.get("begins"):
                continue
            at = last + 1
            slowest, memory = max(slowest, told["seconds"]), max(memory, told["memory"])
            words = told["finding"] or _too_much(told)
            if words:
                findings += 1
                _report(name, seed, last, words, keep)
            else:
                counts["rows" if told["rows"] else "refused"] += 1
        if at <= last:  # the worker ended within a mutation
            findings += 1
            _report(name, seed, last, "the process ended: a crash, or too much memory or time", keep)
            at = last + 1
    seconds = time.monotonic() - started
    read = f"{counts['rows']:,} read, {counts['refused']:,} refused, {findings} findings"
    most = f"slowest {slowest:.1f} s, memory +{memory // 1_000_000} MB"
    print(f"{name:10} {mutations:,} mutations in {seconds:.0f} s: {read}; {most}", flush=True)
    return findings


def _too_much(told: dict[str, Any]) -> str:
    if told["seconds"] > MAX_SECONDS:
        return f"it took {told['seconds']:.0f} s"
    return f"it took {told['memory']:,} bytes of memory" if told["memory"] > MAX_MEMORY else ""


def _report(name: str, seed: int, number: int, words: str, keep: Path | None) -> None:
    print(f"FINDING {name} seed {seed} mutation {number}: {words}", flush=True)
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{seed}_{number}.{name}").write_bytes(mutated(name, seed, number))


def _worker(name: str, seed: int, start: int, end: int) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.corpus.fuzz", "--formats", name, "--seed", str(seed)]
    with subprocess.Popen(
        [*command, "--worker", str(start), str(end)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                yield json.loads(line)
        finally:
            process.kill()


def work(name: str, seed: int, start: int, end: int) -> None:
    """Read mutations and print a line before and after each."""
    from tests.corpus.reading import finding

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    before = 0
    for number in range(start, end):
        body = mutated(name, seed, number)
        print(json.dumps({"number": number, "begins": True}), flush=True)
        signal.alarm(6 * MAX_SECONDS)  # ends this process
        began = time.monotonic()
        rows, words = finding(name, body)
        seconds = time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        before = before or peak
        told = {"number": number, "rows": rows, "finding": words, "seconds": seconds, "memory": peak - before}
        print(json.dumps(told), flush=True)
        before = peak


if __name__ == "__main__":
    sys.exit(main())
