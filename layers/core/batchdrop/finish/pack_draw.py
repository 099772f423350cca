"""Which rows go into which pack: drawn at random within the shard, the same way by every attempt."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice

GroupOf = Callable[[int], int]
MOST_CHARS = 60_000  # ours: a pack's prompt stays far below the price step of long prompts, in any script


def drawn(rows: Collection[int], secret: bytes, group_of: GroupOf = lambda _: 0) -> list[int]:
    """Return the rows in an order that nobody can foresee, so that errors of neighbours do not meet in a pack.

    The rows of a group stay together.
    """

    def digest(word: bytes, number: int) -> bytes:
        return blake2b(word % number, key=secret[:64], digest_size=8).digest()

    order = {group: digest(b"group %d", group) for group in {group_of(row) for row in rows}}
    return sorted(rows, key=lambda row: (order[group_of(row)], digest(b"%d", row)))


def packed(
    rows: Iterable[int], size: int, chars_of: Callable[[int], int | None], group_of: GroupOf = lambda _: 0
) -> Iterator[tuple[int, ...]]:
    """Yield packs of `size` rows, in ascending order. A row that cannot share a request (None), or is long, is alone.

    A pack with long rows has fewer of them. The rows come by group, and a pack has rows of one group.
    """
    waiting: list[int] = []
    chars = 0
    for row in rows:
        own = chars_of(row)
        if own is None or own > MOST_CHARS:
            yield (row,)
            continue
        is_other = bool(waiting) and group_of(row) != group_of(waiting[0])
        if waiting and (is_other or len(waiting) == size or chars + own > MOST_CHARS):
            yield tuple(sorted(waiting))
            waiting, chars = [], 0
        waiting.append(row)
        chars += own
    if waiting:
        yield tuple(sorted(waiting))


def packed_by_plan(
    rows: Sequence[int],
    plan: Sequence[tuple[int, int | None]],
    chars_of: Callable[[int], int | None],
    group_of: GroupOf = lambda _: 0,
) -> list[tuple[int, ...]]:
    """Return packs of several sizes. `plan` has (rows in a pack, how many packs), None for all rows that are left."""
    packs: list[tuple[int, ...]] = []
    rest = list(rows)
    for size, count in plan:
        some = packed(rest, size, chars_of, group_of)
        taken = [*(some if count is None else islice(some, count))]
        done = {row for pack in taken for row in pack}
        rest = [row for row in rest if row not in done]
        packs += taken
    return packs
