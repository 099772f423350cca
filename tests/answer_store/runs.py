"""Runs in memory, for the tests of the answer store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

import msgspec

from batchdrop.answer_store.answer import Answer, read_answer
from batchdrop.answer_store.index import Index, IndexWriter
from batchdrop.answer_store.merge import merge_indexes
from batchdrop.answer_store.run import write_run


@dataclass
class Run:
    """The two files of a run."""

    index: bytes
    answers: bytes

    def opened(self) -> Index:
        """Return its index."""
        return index_of(self.index)

    def messages(self, key: bytes) -> dict[bool, bytes]:
        """Return the stored messages of a key: from a pack (True), and alone (False)."""
        found = self.opened().find(key)
        return {
            one.packed: bytes(read_answer(self.answers[one.offset : one.offset + one.length], key, name="run").message)
            for one in found
        }


def index_of(file: bytes, *, size: int | None = None) -> Index:
    """Open an index that is in memory. A read beyond its end is short, like that of a file."""
    return Index(lambda start, end: file[start:end], len(file) if size is None else size, name="runs/a.index")


def answer_to(key: bytes, at: int, text: str = "yes", *, packed: bool = False) -> Answer:
    """Return an answer with this text as its message."""
    return Answer(key.hex(), at, "v1", msgspec.Raw(msgspec.json.encode(text)), packed)


def run_of(answers: Iterable[Answer]) -> Run:
    """Write a run."""
    index, lines = bytearray(), bytearray()
    write_run(answers, write_answers=lines.extend, write_index=index.extend)
    return Run(bytes(index), bytes(lines))


def merged(runs: list[Run], *, since: int = 0) -> Run:
    """Merge runs, and concatenate their answers, as the bucket does."""
    index = bytearray()
    merge_indexes([run.opened() for run in runs], IndexWriter(index.extend), since=since)
    *_, answers = accumulate((run.answers for run in runs), initial=b"")
    return Run(bytes(index), answers)
