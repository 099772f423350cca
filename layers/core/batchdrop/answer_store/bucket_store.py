"""The answer store in a bucket, below `answers/<recipe>/`. Runs never change; each write of the head has If-Match."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import msgspec

from batchdrop.answer_store.answer import Answer
from batchdrop.answer_store.bucket_look_up import BucketLookUp, index_for, open_index
from batchdrop.answer_store.forgotten import Forgotten, Tombstone
from batchdrop.answer_store.head import Head, PublishedRun, merged_name
from batchdrop.answer_store.index import Footer, IndexWriter
from batchdrop.answer_store.key import SECRET_BYTES
from batchdrop.answer_store.merge import merge_indexes
from batchdrop.answer_store.ports import LookUp, View
from batchdrop.answer_store.run import write_run
from batchdrop.errors import LedgerContended
from batchdrop.ports import ObjectChanged, ObjectMissing, ObjectStore

MOST_TRIES = 20


class BucketAnswerStore:
    """An AnswerStore in a bucket."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def secret(self, recipe: str) -> bytes:
        """Return the recipe's secret; make it if there is none."""
        return self.change(recipe, lambda head: head).secret

    def view(self, recipe: str, *, since: int = 0) -> View:
        """Return the published runs. Runs without an answer that is young enough may be deleted."""
        head = self.head(recipe)
        if head is None:
            return View()
        head = head.without_expired(since)
        return View(tuple(run.name for run in head.runs), head.needed_tombstones)

    @contextmanager
    def opened(self, recipe: str, view: View, *, since: int, rows: int) -> Iterator[LookUp]:
        """Open the runs' indexes: small parts of them, or copies."""
        with ExitStack() as files:
            indexes = [
                index_for(self._store, index_key(recipe, name), rows=rows, keep=files.enter_context)
                for name in view.runs
            ]
            answers = [answers_key(recipe, name) for name in view.runs]
            runs = [*zip(answers, indexes, strict=True)]
            yield BucketLookUp(self._store, runs, since=since, forgotten=Forgotten(view.tombstones))

    def write_run(self, recipe: str, name: str, answers: Iterable[Answer]) -> None:
        """Write the answers, then the index: an index without its answers never appears."""
        head = self.head(recipe)
        if head and name in head.known:
            return
        with (
            self._store.writer(index_key(recipe, name)) as index_file,
            self._store.writer(answers_key(recipe, name)) as answers_file,
        ):
            write_run(answers, write_answers=answers_file.write, write_index=index_file.write)

    def publish(self, recipe: str, names: Sequence[str]) -> None:
        """Add runs to the head."""
        head = self.head(recipe)
        new = [name for name in names if head is None or name not in head.known]
        runs = [published_run(name, open_index(self._store, index_key(recipe, name)).footer) for name in new]
        if runs:
            self.change(recipe, lambda head: head.with_runs(runs))

    def forget(self, recipe: str, tombstone: Tombstone) -> None:
        """Add a tombstone to the head, also of an empty store: a running job may publish later."""
        self.change(recipe, lambda head: head.forgetting(tombstone))

    def forgotten(self, recipe: str) -> Forgotten:
        """Return the head's tombstones."""
        head = self.head(recipe)
        return Forgotten(head.tombstones if head else ())

    def compact(self, recipe: str, *, since: int) -> None:
        """Merge the smallest runs if there are more than 8."""
        head = self.head(recipe)
        if head and head != head.without_expired(since):
            head = self.change(recipe, lambda head: head.without_expired(since))
        old = head.to_merge() if head else ()
        if not old:
            return
        name = merged_name(old, since)
        indexes = [open_index(self._store, index_key(recipe, run.name)) for run in old]
        self._store.stitch(answers_key(recipe, name), [answers_key(recipe, run.name) for run in old])
        with self._store.writer(index_key(recipe, name)) as file:
            footer = merge_indexes(indexes, IndexWriter(file.write), since=since)
        self.change(recipe, lambda head: head.merged(old, published_run(name, footer)))

    def head(self, recipe: str) -> Head | None:
        """Return the head; None if the recipe has no store."""
        text = self._read_head(recipe)
        return None if text is None else msgspec.json.decode(text, type=Head)

    def _read_head(self, recipe: str) -> bytes | None:
        try:
            return self._store.read(head_key(recipe))
        except ObjectMissing:
            return None

    def change(self, recipe: str, change: Callable[[Head], Head]) -> Head:
        """Write what `change` makes of the head, and return it. It is called again if another writer came first."""
        for _ in range(MOST_TRIES):
            seen = self._read_head(recipe)
            head = msgspec.json.decode(seen, type=Head) if seen else Head(secrets.token_bytes(SECRET_BYTES))
            changed = change(head)
            if seen is not None and changed == head:
                return head

            def unchanged(seen: bytes | None = seen) -> None:
                if self._read_head(recipe) != seen:
                    raise ObjectChanged(head_key(recipe))

            try:
                self._store.write(head_key(recipe), msgspec.json.encode(changed), guard=unchanged)
            except ObjectChanged:
                continue
            return changed
        message = f"{head_key(recipe)}: {MOST_TRIES} writes met concurrent ones"
        raise LedgerContended(message)


def published_run(name: str, footer: Footer) -> PublishedRun:
    """Return a written run as the head has it."""
    return PublishedRun(name, footer.entries, footer.newest, footer.oldest)


def head_key(recipe: str) -> str:
    """Return the key of a recipe's head."""
    return f"answers/{recipe}/head.json"


def index_key(recipe: str, name: str) -> str:
    """Return the key of a run's index."""
    return f"answers/{recipe}/runs/{name}.index"


def answers_key(recipe: str, name: str) -> str:
    """Return the key of a run's answers."""
    return f"answers/{recipe}/runs/{name}.jsonl"
