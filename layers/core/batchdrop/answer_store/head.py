"""The head of a recipe's store in a bucket: its secret, and the runs that are published."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from batchdrop.answer_store.forgotten import Tombstone

MOST_RUNS = 8  # a look-up reads a page of each


class PublishedRun(msgspec.Struct, frozen=True):
    """A run, how many entries it has, and when its newest and oldest answers were given (Unix seconds).

    `purged`: all that was forgotten by that time, in Unix seconds, is gone from it.
    """

    name: str
    entries: int
    newest: int = 2**32 - 1
    oldest: int = 0
    purged: int = 0

    def is_free_of(self, tombstone: Tombstone) -> bool:
        """Return whether the run cannot have an answer that this tombstone forgets."""
        return max(self.purged, self.oldest - 1) >= tombstone.until


class Head(msgspec.Struct, frozen=True):
    """`runs` are in the order of publishing. `replaced` are runs that were merged; views of open jobs may have them.

    `tombstones` say which answers no look-up may serve.
    """

    secret: bytes
    runs: tuple[PublishedRun, ...] = ()
    replaced: tuple[str, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()

    @property
    def known(self) -> set[str]:
        """Return the names of all runs that are, or were, published."""
        return {run.name for run in self.runs} | {*self.replaced}

    def with_runs(self, runs: Iterable[PublishedRun]) -> Head:
        """Return the head with more runs; those that it knows are left out."""
        return msgspec.structs.replace(self, runs=(*self.runs, *(run for run in runs if run.name not in self.known)))

    def without_expired(self, since: int) -> Head:
        """Return the head without runs that have no answer from `since` (Unix seconds) or later."""
        return msgspec.structs.replace(self, runs=tuple(run for run in self.runs if run.newest >= since))

    def merged(self, old: tuple[PublishedRun, ...], new: PublishedRun) -> Head:
        """Return the head with one run in place of several; unchanged if one of them is no longer there."""
        if not {*old} <= {*self.runs}:
            return self
        rest = tuple(run for run in self.runs if run not in old)
        replaced = (*self.replaced, *(run.name for run in old))
        free = min(max(run.purged, run.oldest - 1) for run in old)
        oldest = min(run.oldest for run in old)  # replaced answers stay in the file, and its index does not have them
        new = msgspec.structs.replace(new, oldest=oldest, purged=free)
        return msgspec.structs.replace(self, runs=(new, *rest), replaced=replaced)

    @property
    def needed_tombstones(self) -> tuple[Tombstone, ...]:
        """Return the tombstones that a look-up needs: those whose answers may still be in a run."""
        return tuple(one for one in self.tombstones if not all(run.is_free_of(one) for run in self.runs))

    def to_purge(self) -> PublishedRun | None:
        """Return a run that may have forgotten answers; None if there is none."""
        unsure = (run for run in self.runs if not all(run.is_free_of(one) for one in self.tombstones))
        return next(unsure, None)

    def forgetting(self, tombstone: Tombstone) -> Head:
        """Return the head with one more tombstone. It takes the place of an earlier one of the same answers."""
        others = tuple(one for one in self.tombstones if one.what != tombstone.what)
        return msgspec.structs.replace(self, tombstones=(*others, tombstone))

    def rewritten(self, old: str, new: PublishedRun) -> Head:
        """Return the head with another run in the place of `old`; unchanged if that is no longer there.

        The old name stays known, so that a repeated closing does not publish it again.
        """
        if old not in {run.name for run in self.runs}:
            return self
        runs = tuple(new if run.name == old else run for run in self.runs)
        replaced = self.replaced if new.name == old else (*self.replaced, old)
        return msgspec.structs.replace(self, runs=runs, replaced=replaced)

    def to_merge(self) -> tuple[PublishedRun, ...]:
        """Return the runs to merge next, in their order; none if there are few.

        They are the smallest, and as many as have no more entries than those before them together. So an entry is
        merged again only when its run has about doubled.
        """
        if len(self.runs) <= MOST_RUNS:
            return ()
        least = len(self.runs) - MOST_RUNS + 1
        chosen: list[PublishedRun] = []
        total = 0
        for run in sorted(self.runs, key=lambda run: run.entries):
            if len(chosen) >= max(2, least) and run.entries > total:
                break
            chosen.append(run)
            total += run.entries
        return tuple(run for run in self.runs if run in chosen)


def merged_name(runs: Iterable[PublishedRun], since: int) -> str:
    """Return the name of a merge. Two attempts of one merge write one run."""
    parts = "\n".join([*(run.name for run in runs), str(since)])
    return f"merged-{blake2b(parts.encode(), digest_size=16).hexdigest()}"
