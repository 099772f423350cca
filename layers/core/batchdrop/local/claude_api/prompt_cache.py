"""The prompt cache, which bills like the service.

An answer writes its prefix; requests that begin after it read. Those of a cold Message Batch run side by side and all
write. Prefixes shorter than the model's minimum are ignored.
"""

import threading
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from batchdrop.local.claude_api.content import Block, CacheControl, sight_of, words_of
from batchdrop.local.claude_api.params import Api, Params
from batchdrop.local.claude_api.prices import MODELS
from batchdrop.local.claude_api.tokens import count_tokens

LEAST_PREFIX = 4_096  # tokens, for a model that is not in the price list
_SECONDS = {"5m": 300.0, "1h": 3600.0}


class Breakpoint(NamedTuple):
    """The prompt up to a block marked with cache_control."""

    digest: bytes
    tokens: int
    ttl: str


class Split(NamedTuple):
    """Input tokens that were read from or written to the cache."""

    read: int = 0
    written_5m: int = 0
    written_1h: int = 0


UNCACHED = Split()


@dataclass
class _Entry:
    """A written prefix: readable by requests that begin at `since` or later, until it `lapses`."""

    since: float
    lapses: float


class Visit(NamedTuple):
    """One request's use of the cache. Times are emulated seconds.

    `began` is when its Message Batch was created, `now` when its answer begins. `luck` (0 to 1) decides if it hits,
    at the rates `warm` and `cold`. `found` are the tokens that a Messages call could read when it arrived.
    """

    api: Api
    began: float
    now: float
    found: int | None = None
    luck: float = 0.0
    warm: float = 1.0
    cold: float = 0.0


class PromptCache:
    """The written prefixes and their expiry. The two APIs share none. Thread-safe."""

    def __init__(self) -> None:
        """Start empty."""
        self._entries: dict[tuple[Api, bytes], _Entry] = {}
        self._lock = threading.Lock()

    def readable(self, params: Params, now: float) -> int:
        """Return the tokens that a Messages call would read, without changing the cache."""
        with self._lock:
            return self._read(_long_enough(params), Visit("standard", now, now))

    def touch(self, params: Params, visit: Visit) -> Split:
        """Read the request's longest cached prefix, and write the rest up to its last breakpoint."""
        points = _long_enough(params)
        if not points:
            return UNCACHED
        with self._lock:
            read = self._read(points, visit)
            for point in points:
                self._keep(point, visit)
        written = {"5m": 0, "1h": 0}
        reached = read
        for point in points:
            if point.tokens > reached:
                written[point.ttl] += point.tokens - reached
                reached = point.tokens
        return Split(read, written["5m"], written["1h"])

    def _read(self, points: list[Breakpoint], visit: Visit) -> int:
        if visit.found is not None:
            return visit.found
        warm = max((point.tokens for point in points if self._is_warm(point, visit)), default=0)
        if warm:
            return warm if visit.luck < visit.warm else 0
        return points[-1].tokens if points and visit.luck < visit.cold else 0

    def _is_warm(self, point: Breakpoint, visit: Visit) -> bool:
        entry = self._entries.get((visit.api, point.digest))
        return entry is not None and entry.since <= visit.began and visit.now < entry.lapses

    def _keep(self, point: Breakpoint, visit: Visit) -> None:
        """Write the entry, or keep it for as long again. Requests that began before it cannot read it."""
        key, lapses = (visit.api, point.digest), visit.now + _SECONDS[point.ttl]
        entry = self._entries.get(key)
        if entry is None or visit.now >= entry.lapses:
            self._entries[key] = _Entry(visit.now, lapses)
        else:
            entry.since, entry.lapses = min(entry.since, visit.now), max(entry.lapses, lapses)


def _long_enough(params: Params) -> list[Breakpoint]:
    model = MODELS.get(params.model)
    least = model.least_prefix if model else LEAST_PREFIX
    return [point for point in breakpoints(params) if point.tokens >= least]


def breakpoints(params: Params) -> list[Breakpoint]:
    """Return the marked prefixes, in the order of the prompt: tools, system, messages."""
    pieces = _pieces(params)
    if not any(mark for _, mark in pieces):
        return []
    points = []
    digest = blake2b(params.model.encode(), digest_size=16)
    tokens = 0
    for text, mark in pieces:
        digest.update(f"{len(text)}:{text}".encode("utf-8", "replace"))
        tokens += count_tokens(text, params.model)
        if mark:
            points.append(Breakpoint(digest.copy().digest(), tokens, mark.ttl))
    return points


def _pieces(params: Params) -> list[tuple[str, CacheControl | None]]:
    """Return the prompt's texts in order, each with its mark; a top-level mark belongs to the last text."""
    pieces = [(f"{tool.name} {tool.input_schema}", tool.cache_control) for tool in params.tools]
    pieces += _marked(params.system)
    for turn in params.messages:
        pieces += _marked(turn.content)
    if params.cache_control and pieces:
        pieces[-1] = (pieces[-1][0], params.cache_control)
    return pieces


def _marked(content: str | list[Block]) -> list[tuple[str, CacheControl | None]]:
    if isinstance(content, str):
        return [(content, None)] if content else []
    return [(words_of(block) or sight_of(block) or block.type, block.cache_control) for block in content]
