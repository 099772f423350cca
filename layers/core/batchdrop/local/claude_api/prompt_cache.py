"""The prompt cache: prefixes of at least 1,024 tokens are written once, then read."""

import threading
from hashlib import blake2b
from typing import NamedTuple

from batchdrop.local.claude_api.content import Block, CacheControl, sight_of, words_of
from batchdrop.local.claude_api.params import Params
from batchdrop.local.claude_api.tokens import count_tokens

MIN_TOKENS = 1024  # shorter prefixes are not cached
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


class PromptCache:
    """The written prefixes and their expiry (emulated seconds). Thread-safe."""

    def __init__(self) -> None:
        """Start empty."""
        self._lapses: dict[bytes, float] = {}
        self._lock = threading.Lock()

    def readable(self, params: Params, now: float) -> int:
        """Return the tokens that would be read, without changing the cache."""
        with self._lock:
            return self._read(breakpoints(params), now)

    def touch(self, params: Params, now: float) -> Split:
        """Read the request's longest cached prefix, and write the rest up to its last breakpoint."""
        points = [point for point in breakpoints(params) if point.tokens >= MIN_TOKENS]
        if not points:
            return UNCACHED
        with self._lock:
            read = self._read(points, now)
            for point in points:
                self._lapses[point.digest] = now + _SECONDS[point.ttl]
        written = {"5m": 0, "1h": 0}
        reached = read
        for point in points:
            if point.tokens > reached:
                written[point.ttl] += point.tokens - reached
                reached = point.tokens
        return Split(read, written["5m"], written["1h"])

    def _read(self, points: list[Breakpoint], now: float) -> int:
        return max((point.tokens for point in points if self._lapses.get(point.digest, 0) > now), default=0)


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
