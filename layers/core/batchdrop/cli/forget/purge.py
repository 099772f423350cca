"""Remove forgotten answers from the files of a recipe's store in a bucket. Each step can be repeated after a crash."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable
from contextlib import closing
from hashlib import blake2b
from operator import methodcaller

import msgspec

from batchdrop.answer_store.answer import damaged
from batchdrop.answer_store.bucket_look_up import open_index
from batchdrop.answer_store.bucket_store import BucketAnswerStore, answers_key, index_key, published_run
from batchdrop.answer_store.entry import Entry
from batchdrop.answer_store.forgotten import Forgotten
from batchdrop.answer_store.head import PublishedRun
from batchdrop.answer_store.index import Footer, Index, IndexWriter
from batchdrop.cli.forget.cuts import Cut, rewritten
from batchdrop.job.stored_lines import whole_lines
from batchdrop.ports import Eraser, ObjectMissing, ObjectStore

OURS = ("merged-", "kept-")  # runs that are made of others


class Purged(msgspec.Struct):
    """What a purge did: answers that it removed, and old runs that it could not delete yet.

    `unnamed` counts answers without a subject: they were stored before the recipe had `subject`.
    """

    answers: int = 0
    unnamed: int = 0
    runs_left: int = 0


class _Line(msgspec.Struct):
    key: str
    at: int
    subject: str = ""


_LINE = msgspec.json.Decoder(_Line)


class Purge:
    """The purge of one recipe's store. `is_busy` returns whether a job of the recipe runs: it may need old runs."""

    def __init__(self, store: ObjectStore, eraser: Eraser, recipe: str, *, is_busy: Callable[[], bool]) -> None:
        self._store, self._eraser, self._recipe, self._is_busy = store, eraser, recipe, is_busy
        self._answers = BucketAnswerStore(store)

    def run(self) -> Purged:
        """Rewrite the runs that have forgotten answers, then erase what is not published."""
        purged = Purged()
        while (head := self._answers.head(self._recipe)) is not None and (run := head.to_purge()) is not None:
            until = max(one.until for one in head.tombstones)
            new, removed, unnamed = self._rewritten(run, Forgotten(head.tombstones))
            new = msgspec.structs.replace(new, purged=until)
            self._answers.change(self._recipe, methodcaller("rewritten", run.name, new))
            purged.answers += removed
            purged.unnamed += unnamed
        self._erase_unpublished(purged)
        return purged

    def matching(self, wanted: Forgotten) -> Purged:
        """Return how many published answers these tombstones would forget; change nothing."""
        found, head = Purged(), self._answers.head(self._recipe)
        for run in head.runs if head else ():
            spans, unnamed = self._forgotten_in(run.name, wanted)
            found.answers += len(spans)
            found.unnamed += unnamed
        return found

    def _rewritten(self, run: PublishedRun, forgotten: Forgotten) -> tuple[PublishedRun, int, int]:
        """Write a run again without its forgotten answers; return it, and how many these and the unnamed ones are."""
        spans, unnamed = self._forgotten_in(run.name, forgotten)
        if not spans:
            return run, 0, unnamed
        name = f"kept-{blake2b(f'{run.name} {spans}'.encode(), digest_size=16).hexdigest()}"
        index = open_index(self._store, index_key(self._recipe, run.name))
        with (
            self._store.writer(index_key(self._recipe, name)) as index_file,
            self._store.writer(answers_key(self._recipe, name)) as answers_file,
        ):
            with closing(self._store.stream(answers_key(self._recipe, run.name))) as blocks:
                for piece in rewritten(blocks, (Cut(start, end) for start, end in spans)):
                    answers_file.write(piece)
            footer = write_kept(index, spans, IndexWriter(index_file.write))
        kept = msgspec.structs.replace(published_run(name, footer), oldest=run.oldest)
        return kept, len(spans), unnamed

    def _forgotten_in(self, name: str, forgotten: Forgotten) -> tuple[list[tuple[int, int]], int]:
        """Return the forgotten lines of a run, each as its first byte and that of the next line.

        Lines that a newer answer replaced are found, too. Also return how many lines have no subject.
        """
        spans, unnamed, at = [], 0, 0
        key = answers_key(self._recipe, name)
        try:
            with closing(self._store.stream(key)) as blocks:
                for text in whole_lines(blocks):
                    line = _LINE.decode(text)
                    if forgotten.has(bytes.fromhex(line.key), line.at, line.subject):
                        spans.append((at, at + len(text) + 1))
                    unnamed += not line.subject
                    at += len(text) + 1
        except ObjectMissing as missing:
            raise damaged(key, "the run is gone") from missing
        except msgspec.DecodeError as broken:
            raise damaged(key, "an answer is cut or changed") from broken
        return spans, unnamed

    def _erase_unpublished(self, purged: Purged) -> None:
        """Erase replaced runs, half-made ones, and written runs with forgotten answers.

        The order matters: a job that wrote a listed run either still runs, or has published it before the head is read.
        """
        prefix = f"answers/{self._recipe}/runs/"
        written = sorted({key.removeprefix(prefix).rpartition(".")[0] for key in self._store.keys(prefix)})
        is_busy = self._is_busy()
        head = self._answers.head(self._recipe)
        published = {run.name for run in head.runs} if head else set[str]()
        known, forgotten = head.known if head else set[str](), Forgotten(head.tombstones if head else ())
        for name in written:
            if name in published:
                continue
            is_old = name in known or name.startswith(OURS)
            if not is_old and not self._has_forgotten(name, forgotten):
                continue
            if is_busy:
                purged.runs_left += 1
            else:
                self._eraser.erase_key(index_key(self._recipe, name))
                self._eraser.erase_key(answers_key(self._recipe, name))
        self._eraser.erase_old(prefix)

    def _has_forgotten(self, name: str, forgotten: Forgotten) -> bool:
        if not self._store.exists(answers_key(self._recipe, name)):
            return True
        return bool(self._forgotten_in(name, forgotten)[0])


def write_kept(index: Index, spans: list[tuple[int, int]], writer: IndexWriter) -> Footer:
    """Write the entries whose lines stay, with their new offsets."""
    starts = array("Q", (start for start, _ in spans))
    gone, total = array("Q", [0]), 0
    for start, end in spans:
        total += end - start
        gone.append(total)
    for block in index.blocks():
        kept = []
        for entry in map(Entry.decoded, block):
            before = bisect_right(starts, entry.offset)
            if not before or starts[before - 1] != entry.offset:
                kept.append(entry._replace(offset=entry.offset - gone[before]).encoded())
        writer.add(kept)
    return writer.end(index.footer.answers_bytes - total)
