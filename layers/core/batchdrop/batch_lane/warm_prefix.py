"""Facts about a job's prefix in the prompt cache: when it was last written or read, and whether marking pays.

They decide only what a request costs. So a lost or late fact costs money, never a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from batchdrop.admission.ports import Changed, SharedStates
from batchdrop.money.cache_plan import LEAST_HITS
from batchdrop.ports import Clock

FACT = "prompt_cache"
WARM_SECONDS = 50 * 60  # ours: entries live for an hour after they were last used; the rest is for the queue


class PrefixFacts(msgspec.Struct, frozen=True):
    """What is known of a job's prefix.

    `primed_at` (Unix seconds) is the end of the primer, or of the last Message Batch that read. `hits` is the share of
    the prefix that the marked shards read, the worst of them; None before the first one.
    """

    primed_at: float = 0.0
    hits: float | None = None

    def is_primed(self, now: datetime) -> bool:
        """Return whether the prefix is in the cache, for a shard that is sent now."""
        return now.timestamp() - self.primed_at <= WARM_SECONDS and (self.hits is None or self.hits >= LEAST_HITS)

    def is_warm(self, now: datetime) -> bool:
        """Return whether a shard that is sent now is expected to read the prefix, often enough to pay."""
        return self.hits is not None and self.is_primed(now)

    def after(self, *, requests: int, read: int, written: int, ended_at: datetime) -> PrefixFacts:
        """Return the facts after a round in which so many tokens of the prefix were read and written.

        A Message Batch of one is a primer: its write says nothing about hits.
        """
        if not read and not written:
            return self
        hits = self.hits
        if requests > 1:
            hits = min(read / (read + written), 1.0 if hits is None else hits)
        is_kept = read > 0 or requests == 1
        primed_at = max(self.primed_at, ended_at.timestamp()) if is_kept else self.primed_at
        return PrefixFacts(primed_at, hits)


@dataclass(frozen=True, slots=True)
class WarmPrefix:
    """The facts of one job in the ledger. Writes raise LedgerContended."""

    job_id: str
    states: SharedStates
    clock: Clock

    def facts(self) -> PrefixFacts:
        """Return what is known."""
        return _facts(self.states.read(self.job_id, FACT))

    def note(self, *, requests: int, read: int, written: int, ended_at: datetime) -> None:
        """Note the usage of a collected round. A second note of the same round changes nothing."""

        def changed(text: bytes | None) -> Changed[None]:
            known = _facts(text)
            after = known.after(requests=requests, read=read, written=written, ended_at=ended_at)
            return None if after == known else msgspec.json.encode(after), None

        self.states.change(self.job_id, FACT, changed, at=self.clock.now())


def _facts(text: bytes | None) -> PrefixFacts:
    return PrefixFacts() if text is None else msgspec.json.decode(text, type=PrefixFacts)
