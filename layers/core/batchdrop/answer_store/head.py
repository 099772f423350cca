"""The head of a recipe's store in a bucket: its secret, and the runs that are published."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

MOST_RUNS = 8  # a look-up reads a page of each


class PublishedRun(msgspec.Struct, frozen=True):
    """A run, how many entries it has, and when its newest answer was given (Unix seconds)."""

    name: str
    entries: int
    newest: int = 2**32 - 1


class Head(msgspec.Struct, frozen=True):
    """`runs` are in the order of publishing. `replaced` are runs that were merged; views of open jobs may have them."""

    secret: bytes
    runs: tuple[PublishedRun, ...] = ()
    replaced: tuple[str, ...] = ()

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
        return msgspec.structs.replace(self, runs=(new, *rest), replaced=replaced)

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
