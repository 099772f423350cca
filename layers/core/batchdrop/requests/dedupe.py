"""Find identical requests in a shard: each is sent once, and its answer goes to all rows that share it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from batchdrop.recipe.recipe import Recipe

DIGEST_BYTES = 16  # the chance that two of 100,000 requests collide is 1 in 10^28


def is_deduped(recipe: Recipe | None) -> bool:
    """Return whether rows with the same request share one answer.

    By default they do if the recipe has `answer`: equal rows should get equal labels. With free text, each row may want
    a text of its own.
    """
    if recipe is None:
        return False
    return recipe.answer is not None if recipe.dedupe is None else recipe.dedupe


class Duplicates:
    """The digests of one shard's requests so far, about 100 bytes each: at most 15 MB."""

    def __init__(self) -> None:
        self._rows: dict[bytes, int] = {}

    def same_as(self, requests: Iterable[bytes | None], first: int) -> list[int | None]:
        """Return for each row the index of an earlier row with the same request; None for a first or missing request.

        The rows' own indices count from `first`.
        """
        return [None if params is None else self._before(params, index) for index, params in enumerate(requests, first)]

    def clear(self) -> None:
        """Start the next shard."""
        self._rows.clear()

    def _before(self, params: bytes, index: int) -> int | None:
        first = self._rows.setdefault(blake2b(params, digest_size=DIGEST_BYTES).digest(), index)
        return None if first == index else first
