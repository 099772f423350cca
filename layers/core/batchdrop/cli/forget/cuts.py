"""Cut bytes out of a stream, or replace them, in flat memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cut:
    """Bytes of a file from `start` to `end` (exclusive), and those that take their place."""

    start: int
    end: int
    put: bytes = b""


def rewritten(blocks: Iterable[bytes], changes: Iterable[Cut]) -> Iterator[bytes]:
    """Yield a file's bytes with the changes, which are in order and do not overlap."""
    left = iter(changes)
    cut, at, is_put = next(left, None), 0, False
    for block in blocks:
        first, end = 0, at + len(block)
        while cut is not None and cut.start < end:
            if cut.start - at > first:
                yield block[first : cut.start - at]
            if not is_put:
                yield cut.put
            first, is_put = min(cut.end - at, len(block)), True
            if cut.end > end:
                break
            cut, is_put = next(left, None), False
        if first < len(block):
            yield block[first:]
        at = end
