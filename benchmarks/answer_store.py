"""The CPU and memory of the answer store: look-up and merge by row, at 1,000,000 and 10,000,000 hashes.

    python -m benchmarks.answer_store [--quick] [--smoke]

The index is one run of random keys in a file, as the split spools it. Half of the keys that are looked up are in it.
A merge joins four runs of a quarter each. Each figure is that of a process of its own. `grown_mb` is the growth of its
memory; `peak_rss_mb` is all of it, with the imports.

`sent again` is what a split does for a file whose rows are all known: it finds each, and reads its answer, shard by
shard. The store is a bucket in a folder that counts its requests, with the file's run and one run of all others.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from batchdrop.answer_store.answer import Answer
from batchdrop.answer_store.bucket_store import BucketAnswerStore, answers_key, head_key, index_key
from batchdrop.answer_store.entry import Entry
from batchdrop.answer_store.head import Head, PublishedRun
from batchdrop.answer_store.index import Index, IndexWriter
from batchdrop.answer_store.key import SECRET_BYTES, Keys
from batchdrop.answer_store.merge import merge_indexes
from batchdrop.answer_store.run import write_run
from benchmarks.findings import Findings, begin, scratch
from benchmarks.folder_store import FolderStore

LINE = 400  # bytes of a stored answer
PARTS = 4
LOOK_UPS = 200_000
SHARD_ROWS = 100_000
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


class CountingStore(FolderStore):
    """A bucket in a folder. `gets` counts the requests that read."""

    gets = 0

    def read(self, key: str) -> bytes:
        """Count, and read."""
        self.gets += 1
        return super().read(key)

    def size(self, key: str) -> int:
        """Count, and look."""
        self.gets += 1
        return super().size(key)

    def stream(self, key: str, *, start: int = 0, **pinned: Any) -> Generator[bytes, None, None]:
        """Count, and read."""
        self.gets += 1
        return super().stream(key, start=start, **pinned)

    def read_range(self, key: str, start: int, end: int, **pinned: Any) -> bytes:
        """Count, and read."""
        self.gets += 1
        return super().read_range(key, start, end, **pinned)


def lay_store(folder: Path, keys: int, rows: int) -> None:
    """Write a store with one run of a file, and one of all other answers, of which only the index is read."""
    store, runs = FolderStore(folder), folder / "answers" / "r" / "runs"
    line, draw = msgspec.Raw(b'{"text":"%b"}' % (b"x" * (LINE - 140))), random.Random(3)
    runs.mkdir(parents=True, exist_ok=True)
    with store.writer(answers_key("r", "file")) as answers, store.writer(index_key("r", "file")) as index:
        every = (Answer(draw.randbytes(16).hex(), 1, "v1", line) for _ in range(rows))
        write_run(every, write_answers=answers.write, write_index=index.write)
    write_index(runs / "others.index", keys - rows, seed=4)
    published = (PublishedRun("file", rows), PublishedRun("others", keys - rows))
    store.write(head_key("r"), msgspec.json.encode(Head(bytes(SECRET_BYTES), published)))


def sending_again(folder: str) -> Callable[[], dict[str, Any]]:
    """Prepare the look-ups of a whole file."""
    store = CountingStore(Path(folder))
    with (Path(folder) / answers_key("r", "file")).open("rb") as lines:
        keys = [bytes.fromhex(line[8:40].decode()) for line in lines]

    def work() -> dict[str, Any]:
        answers, found = BucketAnswerStore(store), 0
        with answers.opened("r", answers.view("r"), since=0, rows=len(keys)) as look_up:
            for shard in range(0, len(keys), SHARD_ROWS):
                own = keys[shard : shard + SHARD_ROWS]
                places = [place for place in look_up.find(own, packed=False) if place is not None]
                found += sum(1 for _ in look_up.answers(places))
        return {"found": found, "gets": store.gets}

    return work


def hashing(folder: str) -> Callable[[], dict[str, Any]]:  # noqa: ARG001 - all contenders take it
    """Prepare the keys of requests of 2.7 KB."""
    requests, keys = [PARAMS % number for number in range(10_000)], Keys(bytes(SECRET_BYTES))

    def work() -> dict[str, Any]:
        return {"keys": sum(len(set(keys.of_all(requests))) for _ in range(LOOK_UPS // 10_000))}

    return work


SINGLE = {"looking_up": looking_up, "proving": proving, "merging": merging, "hashing": hashing}
CONTENDERS = {**SINGLE, "sending_again": sending_again}
BARS = {"looking_up": 5.0, "merging": 5.0}  # microseconds a row
MOST_MB = 50.0
MOST_MILLIONTHS = 900.0  # of a dollar: the design's prototype took $0.0009


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
            figures = case({name: name.replace("_", " ") for name in SINGLE})
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
        _send_again(found, keys)
    return found.write()


def _send_again(found: Findings, keys: int) -> None:
    """Measure a file of a tenth of all hashes, and say what its requests to the bucket cost per million rows."""
    rows = keys // 10
    with scratch() as folder:
        lay_store(folder, keys, rows)
        called = {"sending_again": f"a file of {rows:,} known rows"}
        measured = found.compare(f"{keys:,} hashes", "benchmarks.answer_store", called, folder=str(folder))
    figures = measured["sending_again"]
    assert figures["facts"]["found"] == rows
    gets = figures["facts"]["gets"]
    millionths = gets / rows * 1e6 * prices()["s3_get"] * 1e6
    each = figures["cpu_s"] / rows * 1e6
    print(f"        {keys:,} hashes, {rows:,} known rows: {gets:,} requests, {each:.2f} microseconds a row", flush=True)
    if found.scale == "full":  # a small file has a request for each few rows
        what = f"{keys:,} hashes: S3 requests for a million known rows, in millionths of a dollar"
        found.bar(what, millionths, MOST_MILLIONTHS, is_most=True)


def prices() -> dict[str, float]:
    """Return AWS's prices in dollars."""
    listed: dict[str, float] = json.loads((Path(__file__).parent / "aws_prices.json").read_text("utf-8"))["usd"]
    return listed


if __name__ == "__main__":
    sys.exit(main())
