"""Find identical requests in a shard: each is sent once, and its answer goes to all rows that share it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from batchdrop.recipe.recipe import Recipe

DIGEST_BYTES = 16  # the chance that two of 100,000 requests collide is 1 in 10^28


def is_deduped(recipe: Recipe | None) -> bool:
    """Return whether rows with the same request share one answer.

    By default they do if the recipe has `answer`: equal rows should get equal labels. With free text, each row may want
    a text of its own. With `remember` they do, too: the next file would share that answer anyway.
    """
    if recipe is None:
        return False
    shares = recipe.answer is not None or recipe.remember is not None
    return shares if recipe.dedupe is None else recipe.dedupe


class Duplicates:
    """The digests of one shard's requests so far, about 100 bytes each: at most 15 MB."""

    def __init__(self) -> None:
        self._rows: dict[bytes, int] = {}

    def same_as(self, requests: Iterable[bytes | None], first: int) -> list[int | None]:
        """Return for each row the index of an earlier row with the same request; None for a first or missing request.

        The rows' own indices count from `first`.
        """
        digests = (
            None if params is None else blake2b(params, digest_size=DIGEST_BYTES).digest() for params in requests
        )
        return self.same_digests(digests, first)

    def same_digests(self, digests: Iterable[bytes | None], first: int) -> list[int | None]:
        """Return the same for digests of the requests that the caller has made."""
        return [None if own is None else self._before(own, index) for index, own in enumerate(digests, first)]

    def clear(self) -> None:
        """Start the next shard."""
        self._rows.clear()

    def _before(self, digest: bytes, index: int) -> int | None:
        first = self._rows.setdefault(digest, index)
        return None if first == index else first
