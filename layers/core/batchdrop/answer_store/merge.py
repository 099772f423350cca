"""Merge the indexes of several runs into one, in flat memory. Their answers are stitched without being read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate

from batchdrop.answer_store.entry import IDENTITY, moved, newest
from batchdrop.answer_store.index import Footer, Index, IndexWriter


def merge_indexes(indexes: list[Index], writer: IndexWriter, *, since: int) -> Footer:
    """Write the index of the runs' concatenated answers, in this order; return its footer.

    Of each key and flag the newest entry stays, unless it was answered before `since` (Unix seconds).
    """
    sizes = [index.footer.answers_bytes for index in indexes]
    shifts = accumulate(sizes[:-1], initial=0)
    sources = [_shifted(index, by) for index, by in zip(indexes, shifts, strict=bool(indexes))]
    for entries in _newest_of_each(_sorted_blocks(sources), since=since):
        writer.add(entries)
    return writer.end(sum(sizes))


def _shifted(index: Index, by: int) -> Iterator[list[bytes]]:
    return (moved(block, by) for block in index.blocks())


def _newest_of_each(blocks: Iterable[list[bytes]], *, since: int) -> Iterator[list[bytes]]:
    """Yield what counts of sorted entries. The last key of a block is kept back: the next block may go on with it."""
    held: list[bytes] = []
    for block in blocks:
        entries = held + block
        last = entries[-1][:IDENTITY]
        cut = len(entries) - 1
        while cut and entries[cut - 1][:IDENTITY] == last:
            cut -= 1
        held = entries[cut:]
        yield newest(entries[:cut], since=since)
    if held:
        yield newest(held, since=since)


def _sorted_blocks(sources: list[Iterator[list[bytes]]]) -> Iterator[list[bytes]]:
    """Yield the entries of sorted sources, sorted. One sort of sorted stretches is ten times as fast as a heap."""
    waiting = {number: block for number, source in enumerate(sources) if (block := next(source, []))}
    while waiting:
        bound = min(block[-1] for block in waiting.values())
        taken: list[bytes] = []
        for number, block in [*waiting.items()]:
            end = bisect_right(block, bound)
            taken += block[:end]
            rest = block[end:] or next(sources[number], [])
            if rest:
                waiting[number] = rest
            else:
                del waiting[number]
        taken.sort()
        yield taken
