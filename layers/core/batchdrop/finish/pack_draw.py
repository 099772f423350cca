"""Which rows go into which pack: drawn at random within the shard, the same way by every attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice

MOST_CHARS = 60_000  # ours: a pack's prompt stays far below the price step of long prompts, in any script


def drawn(rows: Iterable[int], secret: bytes) -> list[int]:
    """Return the rows in an order that nobody can foresee, so that errors of neighbours do not meet in a pack."""
    return sorted(rows, key=lambda row: blake2b(b"%d" % row, key=secret[:64], digest_size=8).digest())


def packed(rows: Iterable[int], size: int, chars_of: Callable[[int], int | None]) -> Iterator[tuple[int, ...]]:
    """Yield packs of `size` rows, in ascending order. A row that cannot share a request (None), or is long, is alone.

    A pack with long rows has fewer of them.
    """
    waiting: list[int] = []
    chars = 0
    for row in rows:
        own = chars_of(row)
        if own is None or own > MOST_CHARS:
            yield (row,)
            continue
        if len(waiting) == size or chars + own > MOST_CHARS:
            yield tuple(sorted(waiting))
            waiting, chars = [], 0
        waiting.append(row)
        chars += own
    if waiting:
        yield tuple(sorted(waiting))


def packed_by_plan(
    rows: Sequence[int], plan: Sequence[tuple[int, int | None]], chars_of: Callable[[int], int | None]
) -> list[tuple[int, ...]]:
    """Return packs of several sizes. `plan` has (rows in a pack, how many packs), None for all rows that are left."""
    packs: list[tuple[int, ...]] = []
    rest = list(rows)
    for size, count in plan:
        some = packed(rest, size, chars_of)
        taken = [*(some if count is None else islice(some, count))]
        done = {row for pack in taken for row in pack}
        rest = [row for row in rest if row not in done]
        packs += taken
    return packs
