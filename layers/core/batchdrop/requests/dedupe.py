"""Find identical requests in a job: each is sent once, and its answer goes to all rows that share it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple

from batchdrop.recipe.recipe import Recipe

MOST_KNOWN = 1_000_000  # ours: distinct requests that later shards can share; about 200 MB in split_upload
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
        return self.same_digests(digests_of(requests), first)

    def same_digests(self, digests: Iterable[bytes | None], first: int) -> list[int | None]:
        """Return the same for digests of the requests that the caller has made."""
        return [None if own is None else self._before(own, index) for index, own in enumerate(digests, first)]

    def clear(self) -> None:
        """Start the next shard."""
        self._rows.clear()

    def _before(self, digest: bytes, index: int) -> int | None:
        first = self._rows.setdefault(digest, index)
        return None if first == index else first


def digests_of(requests: Iterable[bytes | None]) -> list[bytes | None]:
    """Return the digest of each request's `params`; None where there is none."""
    return [None if one is None else blake2b(one, digest_size=DIGEST_BYTES).digest() for one in requests]


class Lender(NamedTuple):
    """The row of an earlier shard whose answer another row shares; both count from 0."""

    shard: int
    row: int


class EarlierRequests:
    """The requests of a job's earlier shards, by digest. Beyond MOST_KNOWN of them, later ones are not kept.

    They are stored beside each shard, so that every attempt of a split knows the same.
    """

    def __init__(self) -> None:
        self._rows: dict[bytes | None, int] = {}

    def lenders(self, digests: Iterable[bytes | None]) -> list[Lender | None] | None:
        """Return for each row the earlier shard's row with the same request; None if no row has one."""
        places = [*map(self._rows.get, digests)]
        if places.count(None) == len(places):
            return None
        return [None if place is None else Lender(*divmod(place, _SHARD)) for place in places]

    def add(self, shard: int, stored: bytes) -> None:
        """Add a shard's requests, as `stored_digests` writes them, row by row."""
        first, room = shard * _SHARD, MOST_KNOWN - len(self._rows)
        digests = (stored[start : start + DIGEST_BYTES] for start in range(0, len(stored), DIGEST_BYTES))
        sent = ((digest, first + row) for row, digest in enumerate(digests) if digest != _NOT_SENT)
        self._rows.update(islice(sent, max(0, room)))


_NOT_SENT = bytes(DIGEST_BYTES)
_SHARD = 2**32


def stored_digests(digests: Iterable[bytes | None], params: Iterable[bytes | None]) -> bytes:
    """Return the digests of rows as they are stored beside their shard; `params` is None for rows that are not sent."""
    each = zip(digests, params, strict=False)
    return b"".join([_NOT_SENT if own is None or sent is None else own for own, sent in each])
