"""The CPU and memory of the answer store: look-up and merge by row, at 1,000,000 and 10,000,000 hashes.

    python -m benchmarks.answer_store [--quick] [--smoke]

The index is one run of random keys in a file, as the split spools it. Half of the keys that are looked up are in it.
A merge joins four runs of a quarter each. Each figure is that of a process of its own. `grown_mb` is the growth of its
memory; `peak_rss_mb` is all of it, with the imports.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from batchdrop.answer_store.entry import Entry
from batchdrop.answer_store.index import Index, IndexWriter
from batchdrop.answer_store.key import SECRET_BYTES, Keys
from batchdrop.answer_store.merge import merge_indexes
from benchmarks.findings import begin, scratch

LINE = 400  # bytes of a stored answer
PARTS = 4
LOOK_UPS = 200_000
PARAMS = (
    b'{"model":"claude-haiku-5-5","max_tokens":256,"system":"%b","messages":[{"role":"user","content":"%%d %b"}]}'
    % (b"Label this review. " * 120, b"arrived late, but works " * 12)
)


def write_index(path: Path, keys: int, seed: int) -> None:
    """Write an index of random keys, with flat memory: the fence bytes go up evenly, the rest is random."""
    draw, step = random.Random(seed), 2**64 // keys
    with path.open("wb") as file:
        writer = IndexWriter(file.write)
        for first in range(0, keys, 10_000):
            numbers = range(first, min(first + 10_000, keys))
            writer.add([_entry(number * step + draw.randrange(step), draw, number) for number in numbers])
        writer.end(keys * LINE)


def _entry(fence: int, draw: random.Random, number: int) -> bytes:
    key = fence.to_bytes(8, "big") + draw.randbytes(8)
    return Entry(key, packed=False, at=number, offset=number * LINE, length=LINE - 1).encoded()


def opened(path: Path) -> Index:
    """Open an index in a file."""
    file = os.open(path, os.O_RDONLY)  # until the process ends
    return Index(lambda start, end: os.pread(file, end - start, start), path.stat().st_size, name=str(path))


def looking_up(folder: str) -> Callable[[], dict[str, Any]]:
    """Prepare look-ups: half of the keys are in the index."""
    path = Path(folder) / "whole"
    draw = random.Random(1)
    entries = path.stat().st_size // 33
    with path.open("rb") as file:
        known = []
        for _ in range(LOOK_UPS // 2):
            file.seek(draw.randrange(entries) * 32)
            known.append(file.read(16))
    keys = [key for one in known for key in (one, draw.randbytes(16))]

    index = opened(path)
    index.prove()
    return lambda: {"found": sum(len(index.find(key)) for key in keys)}


def proving(folder: str) -> Callable[[], dict[str, Any]]:
    """Prepare the check of all pages, once a split."""

    def work() -> dict[str, Any]:
        index = opened(Path(folder) / "whole")
        index.prove()
        return {"entries": index.footer.entries}

    return work


def merging(folder: str) -> Callable[[], dict[str, Any]]:
    """Prepare a merge."""

    def work() -> dict[str, Any]:
        indexes = [opened(Path(folder) / f"part{number}") for number in range(PARTS)]
        with (Path(folder) / "merged").open("wb") as file:
            return {"entries": merge_indexes(indexes, IndexWriter(file.write), since=0).entries}

    return work


def hashing(folder: str) -> Callable[[], dict[str, Any]]:  # noqa: ARG001 - all contenders take it
    """Prepare the keys of requests of 2.7 KB."""
    requests, keys = [PARAMS % number for number in range(10_000)], Keys(bytes(SECRET_BYTES))

    def work() -> dict[str, Any]:
        return {"keys": sum(len(set(keys.of_all(requests))) for _ in range(LOOK_UPS // 10_000))}

    return work


CONTENDERS = {"looking_up": looking_up, "proving": proving, "merging": merging, "hashing": hashing}
BARS = {"looking_up": 5.0, "merging": 5.0}  # microseconds a row
MOST_MB = 50.0


def main() -> int:
    """Measure, and compare with the bars."""
    found = begin("answer_store", "The answer store", runs=3)
    sizes = [found.of_scale(full=1_000_000, quick=200_000, smoke=2_000)]
    if found.scale == "full":
        sizes.append(10_000_000)
    for keys in sizes:
        with scratch() as folder:
            write_index(folder / "whole", keys, seed=1)
            for number in range(PARTS):
                write_index(folder / f"part{number}", keys // PARTS, seed=2 + number)
            case = partial(found.compare, f"{keys:,} hashes", "benchmarks.answer_store", folder=str(folder))
            figures = case({name: name.replace("_", " ") for name in CONTENDERS})
        rows = {"looking_up": LOOK_UPS, "merging": keys, "hashing": LOOK_UPS, "proving": keys}
        for name, count in rows.items():
            each = figures[name]["cpu_s"] / count * 1e6
            what = f"{keys:,} hashes, {name.replace('_', ' ')}: microseconds a row"
            if name in BARS:
                found.bar(what, each, BARS[name], is_most=True)
            else:
                print(f"        {what}: {each:.2f}", flush=True)
        grown = max(one["grown_mb"] for one in figures.values())
        found.bar(f"{keys:,} hashes: megabytes grown", grown, MOST_MB, is_most=True)
    return found.write()


if __name__ == "__main__":
    sys.exit(main())
