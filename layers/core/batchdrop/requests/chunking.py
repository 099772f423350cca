"""Rows go from stage to stage some at a time: a step for each alone costs as much as what is done to it.

What is together is bounded in number and bytes, so that memory stays flat whatever the rows are like.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

ROWS_TOGETHER = 500
BYTES_TOGETHER = 64 * 1024  # what a processor keeps at hand; rows of a megabyte together take half as long again

T = TypeVar("T")


def gathered(
    items: Generator[T, None, None], size: Callable[[T], int], *, most: int = ROWS_TOGETHER
) -> Generator[list[T], None, None]:
    """Yield items in lists of at most `most`; a list is longer than BYTES_TOGETHER by no more than its last item.

    What `items` raises is raised after the items before it. It is closed with this one.
    """
    some: list[T] = []
    total = 0
    with closing(items):
        try:
            for item in items:
                some.append(item)
                total += size(item)
                if total >= BYTES_TOGETHER or len(some) >= most:
                    yield some
                    some, total = [], 0
        except Exception:  # raised again, behind the items before it
            if some:
                yield some
            raise
        if some:
            yield some
