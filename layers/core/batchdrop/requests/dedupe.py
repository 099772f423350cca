"""Requests that are the same to the byte: asked once in a shard, and answered for every row that asks them."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from batchdrop.recipe.recipe import Recipe

DIGEST_BYTES = 16  # two of 100,000 different requests share one with a chance of 1 in 10^28


def is_deduped(recipe: Recipe | None) -> bool:
    """Tell whether rows with the same request share an answer: by default, where the answer has types.

    Typed answers are labels, and the same request should get the same one; of a free text, each row may want its own.
    """
    if recipe is None:
        return False
    return recipe.answer is not None if recipe.dedupe is None else recipe.dedupe


class Duplicates:
    """The requests of one shard so far, by digest: some 100 bytes each, so at most 15 MB."""

    def __init__(self) -> None:
        self._rows: dict[bytes, int] = {}

    def same_as(self, asked: Iterable[bytes | None], first: int) -> list[int | None]:
        """Return for each row the shard's row that asked the same before it; None for one that asks first, or nothing.

        The rows' own indices count from `first`.
        """
        return [None if params is None else self._before(params, index) for index, params in enumerate(asked, first)]

    def clear(self) -> None:
        """Begin another shard."""
        self._rows.clear()

    def _before(self, params: bytes, index: int) -> int | None:
        first = self._rows.setdefault(blake2b(params, digest_size=DIGEST_BYTES).digest(), index)
        return None if first == index else first
