"""A run: answers in the order of their rows, and the index of their keys. It is written once and never changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from batchdrop.answer_store.answer import Answer
from batchdrop.answer_store.entry import Entry, newest
from batchdrop.answer_store.index import Footer, IndexWriter


def write_run(
    answers: Iterable[Answer],
    *,
    write_answers: Callable[[bytes], object],
    write_index: Callable[[bytes], object],
) -> Footer:
    """Write a shard's answers and their index; return the index's footer.

    Memory holds about 90 bytes an answer: 9 MB for a shard. The newest of several answers to one key is found.
    """
    encode = msgspec.json.Encoder().encode
    entries: list[bytes] = []
    offset = 0
    for answer in answers:
        line = encode(answer)
        entries.append(Entry(answer.digest, answer.packed, answer.at, offset, len(line)).encoded())
        write_answers(line + b"\n")
        offset += len(line) + 1
    entries.sort()
    index = IndexWriter(write_index)
    index.add(newest(entries, since=0))
    return index.end(offset)
