"""Mark a create body for the prompt cache while it is sent, if the prefix is warm."""

from __future__ import annotations

from collections.abc import Iterator

from batchdrop.batch_lane.ports import RequestBody
from batchdrop.batch_lane.warm_prefix import WarmPrefix
from batchdrop.errors import InvariantBroken
from batchdrop.job.cache_mark import read_mark
from batchdrop.job.shard_state import ShardState
from batchdrop.ports import ObjectStore
from batchdrop.requests.cache_mark import CacheMark


def marked_if_warm(body: RequestBody, state: ShardState, store: ObjectStore, prefix: WarmPrefix) -> RequestBody:
    """Return the body marked if this is the primer, or if the prefix is warm; else the body itself."""
    if not state.may_be_marked or not _pays(state, prefix):
        return body
    mark = read_mark(state.job_id, store)
    return body if mark is None else MarkedBody(body, mark, state.requests)


def _pays(state: ShardState, prefix: WarmPrefix) -> bool:
    """Return whether marking is expected to pay: the primer primes, the probe needs a primed prefix."""
    if state.is_primer:
        return True
    facts, now = prefix.facts(), prefix.clock.now()
    return facts.is_primed(now) if state.is_probe else facts.is_warm(now)


class MarkedBody:
    """A create body whose requests are marked as it is read. Its size is known before that."""

    def __init__(self, body: RequestBody, mark: CacheMark, requests: int) -> None:
        self._body = body
        self._mark = mark
        self.size = body.size + requests * mark.growth

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body; each iteration starts at the first byte. Raises InvariantBroken if its size is wrong."""
        size = 0
        for block in self._mark.stream(self._body):
            size += len(block)
            if size > self.size:
                break
            yield block
        if size != self.size:
            message = f"a marked create body has {size:,} bytes instead of {self.size:,}"
            raise InvariantBroken(message)
