"""Requests that are the same to the byte: asked once in a shard, and answered for every row that asks them."""

from __future__ import annotations

from hashlib import blake2b

from batchdrop.domain.recipe import Recipe

DIGEST_BYTES = 16  # two of 100,000 different requests share one with a chance of 1 in 10^28


def is_deduped(recipe: Recipe | None) -> bool:
    """Tell whether rows with the same request share an answer: by default, where the answer has types.

    Typed answers are labels, and the same request should get the same one; of a free text, each row may want its own.
    """
    if recipe is None:
        return False
    return recipe.answer is not None if recipe.dedupe is None else recipe.dedupe


class Twins:
    """The requests of one shard so far, by digest: some 100 bytes each, so at most 15 MB."""

    def __init__(self) -> None:
        self._rows: dict[bytes, int] = {}

    def first(self, params: bytes) -> int | None:
        """Return the index of the shard's row that asks the same; None if this would be the first."""
        return self._rows.get(_digest(params))

    def add(self, params: bytes, index: int) -> None:
        """Note the first row that asks so."""
        self._rows[_digest(params)] = index

    def clear(self) -> None:
        """Begin another shard."""
        self._rows.clear()


def _digest(params: bytes) -> bytes:
    return blake2b(params, digest_size=DIGEST_BYTES).digest()
