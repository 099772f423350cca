"""Sort the requests of a file by group, in flat memory: sorted runs in the bucket, and then their merge."""

from __future__ import annotations

import os
from array import array
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from heapq import merge
from operator import itemgetter
from typing import BinaryIO, NamedTuple

from batchdrop.job.layout import JobKeys
from batchdrop.job.stored_lines import whole_lines
from batchdrop.ports import ObjectStore, Writer
from batchdrop.requests.groups import DIGEST_BYTES

RUN_BYTES = 256 * 1024 * 1024  # ours: of /tmp; 10,000,000 short rows make some tens of runs
RUN_ROWS = 500_000  # ours: sorting them takes 100 MB


class RunRow(NamedTuple):
    """A request in a run: the digest of its group in hexadecimal digits, its row in the file, and its content.

    `run` and `end` say where the merge continues after it.
    """

    digest: bytes
    row: int
    content: bytes
    run: int
    end: int


class RunSpool:
    """The requests of the next run, on disk. Memory holds 24 bytes for each."""

    def __init__(self, spool: BinaryIO) -> None:
        self._spool = spool
        self._digests = bytearray()
        self._ends = array("q", [0])

    @property
    def is_full(self) -> bool:
        """Return whether the run is large enough."""
        return self._ends[-1] >= RUN_BYTES or len(self._ends) > RUN_ROWS

    def add(self, digest: bytes, row: int, content: bytes) -> None:
        """Add a request. `content` has no line end."""
        line = b"%b %d %b\n" % (digest.hex().encode(), row, content)
        self._spool.write(line)
        self._digests += digest
        self._ends.append(self._ends[-1] + len(line))

    def write(self, target: Writer) -> None:
        """Write the requests by group, those of a group in the file's order; then forget them."""
        self._spool.flush()
        digests, ends, file, width = self._digests, self._ends, self._spool.fileno(), DIGEST_BYTES
        order = sorted(range(len(ends) - 1), key=lambda one: digests[width * one : width * one + width])
        for one in order:
            target.write(os.pread(file, ends[one + 1] - ends[one], ends[one]))
        self._spool.seek(0)
        self._spool.truncate()
        self._digests, self._ends = bytearray(), array("q", [0])


def merged_runs(keys: JobKeys, places: list[int], store: ObjectStore) -> Iterator[RunRow]:
    """Yield the requests of all runs by group, from these places on; those of a group in the file's order."""
    with ExitStack() as opened:
        runs = [
            opened.enter_context(closing(_rows(keys.run(run), run, start, store)))
            for run, start in enumerate(places)
            if start < store.size(keys.run(run))
        ]
        yield from merge(*runs, key=itemgetter(0))


def _rows(key: str, run: int, start: int, store: ObjectStore) -> Generator[RunRow, None, None]:
    end = start
    with closing(store.stream(key, start=start)) as blocks:
        for line in whole_lines(blocks):
            end += len(line) + 1
            digest, row, content = line.split(b" ", 2)
            yield RunRow(digest, int(row), content, run, end)
