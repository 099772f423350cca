"""Look answers up in a view of a recipe's store in a bucket."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import BinaryIO

from batchdrop.answer_store.answer import Answer, damaged, read_answer
from batchdrop.answer_store.entry import ENTRY_BYTES
from batchdrop.answer_store.forgotten import Forgotten
from batchdrop.answer_store.index import Index
from batchdrop.answer_store.ports import Place
from batchdrop.ports import ObjectMissing, ObjectStore

RANGE_BYTES = 8 * 1024 * 1024  # a request for so much takes about as long, and costs as much, as one for a page
GAP_BYTES = 64 * 1024  # answers are read together if this much or less stands between them


def open_index(store: ObjectStore, key: str) -> Index:
    """Open an index by ranges. Raises AnswerStoreDamaged."""
    try:
        return Index(partial(store.read_range, key), store.size(key), name=key)
    except ObjectMissing as missing:
        raise damaged(key, "the run is gone") from missing


def spooled_index(store: ObjectStore, key: str, spool: BinaryIO) -> Index:
    """Copy an index into a file, check it, and open it there. Raises AnswerStoreDamaged."""
    try:
        with closing(store.stream(key)) as blocks:
            spool.writelines(blocks)
    except ObjectMissing as missing:
        raise damaged(key, "the run is gone") from missing
    spool.flush()
    file = spool.fileno()
    index = Index(lambda start, end: os.pread(file, end - start, start), spool.tell(), name=key)
    index.prove()
    return index


def index_for(store: ObjectStore, key: str, *, rows: int, keep: Callable[[BinaryIO], BinaryIO]) -> Index:
    """Open an index for so many look-ups: by ranges if they take fewer requests than to copy it."""
    index = open_index(store, key)
    if rows < index.footer.entries * ENTRY_BYTES / RANGE_BYTES:
        return index
    return spooled_index(store, key, keep(tempfile.TemporaryFile(prefix="index-")))


class BucketLookUp:
    """A LookUp. `runs` are the keys of the runs' answers, each with its index."""

    def __init__(
        self, store: ObjectStore, runs: Sequence[tuple[str, Index]], *, since: int, forgotten: Forgotten
    ) -> None:
        self._store = store
        self._runs = runs
        self._since = since
        self._forgotten = forgotten

    def find(self, keys: Iterable[bytes | None], *, packed: bool) -> list[Place | None]:
        """Return where the answers are."""
        found = [None if key is None else self._find(key, packed=packed) for key in keys]
        return self._known(found) if self._forgotten else found

    def _find(self, key: bytes, *, packed: bool) -> Place | None:
        found = [
            Place(number, entry)
            for number, (_, index) in enumerate(self._runs)
            for entry in index.find(key)
            if entry.at >= self._since and packed >= entry.packed
        ]
        if self._forgotten:
            found = [place for place in found if not self._forgotten.has_entry(place.entry)]
        return max(found, key=_rank, default=None)

    def _known(self, found: list[Place | None]) -> list[Place | None]:
        """Return the places without those whose answers are forgotten by their subject, which the answers name."""
        if not self._forgotten.needs_answers:
            return found
        hits = [number for number, place in enumerate(found) if place is not None]
        for number, answer in self.answers([place for place in found if place is not None]):
            if self._forgotten.has_answer(answer):
                found[hits[number]] = None
        return found

    def answers(self, places: Sequence[Place]) -> Iterator[tuple[int, Answer]]:
        """Yield the answers, run by run. Those that stand near each other are read together."""
        numbers = sorted(range(len(places)), key=lambda number: (places[number].run, places[number].entry.offset))
        for group in _groups(numbers, places):
            yield from self._read(group, places)

    def _read(self, group: list[int], places: Sequence[Place]) -> Iterator[tuple[int, Answer]]:
        name = self._runs[places[group[0]].run][0]
        start, end = places[group[0]].entry.offset, max(_end(places[number]) for number in group)
        try:
            block = self._store.read_range(name, start, end)
        except ObjectMissing as missing:
            raise damaged(name, "the run is gone") from missing
        for number in group:
            entry = places[number].entry
            at = entry.offset - start
            yield number, read_answer(block[at : at + entry.length], entry.key, name=name)


def _rank(place: Place) -> tuple[bool, int, int]:
    return not place.entry.packed, place.entry.at, place.run


def _end(place: Place) -> int:
    return place.entry.offset + place.entry.length


def _groups(numbers: Iterable[int], places: Sequence[Place]) -> Iterator[list[int]]:
    """Yield the places that are read together: of one run, near each other, and at most 8 MB."""
    group: list[int] = []
    for number in numbers:
        if group:
            first, last, place = places[group[0]], places[group[-1]], places[number]
            is_near = place.entry.offset <= _end(last) + GAP_BYTES
            if place.run != first.run or not is_near or _end(place) - first.entry.offset > RANGE_BYTES:
                yield group
                group = []
        group.append(number)
    if group:
        yield group
