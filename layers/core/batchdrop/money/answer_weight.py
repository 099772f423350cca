"""What a request's answers may weigh on the disk where `collect_results` keeps all of a shard's result lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from batchdrop.money.request_count import most_asks
from batchdrop.recipe.recipe import Recipe

LINE_BYTES = 800  # of a result line around its text: ids, model, usage; the emulator's have about 560
# Twice what a token of Latin script has: what JSON escapes (quotes, newlines, \uXXXX) takes two to six bytes.
BYTES_PER_TOKEN = 8
MOST_TOKENS = 300_000  # no model writes more; a `max_tokens` beyond is refused by the API


class _Asked(msgspec.Struct):
    max_tokens: int = 0


_ASKED = msgspec.json.Decoder(_Asked)


def weigher(recipe: Recipe | None) -> Callable[[Sequence[bytes | None]], list[int]]:
    """Return what tells the bytes that requests' answers may take, by their `params`: all that may be paid for.

    A row without a request (None) has no answer. A recipe's requests weigh the same; those that stand ready in the
    file each have their own `max_tokens`.
    """
    if recipe is None:
        return lambda asked: [0 if params is None else _own_weight(params) for params in asked]
    weight = _weight(recipe.max_tokens, asks=most_asks(recipe)[1])
    return lambda asked: [0 if params is None else weight for params in asked]


def _own_weight(params: bytes) -> int:
    try:
        tokens = _ASKED.decode(params).max_tokens
    except (msgspec.DecodeError, UnicodeDecodeError):  # the API refuses it, in a line that is short
        tokens = 0
    return _weight(tokens, asks=1)


def _weight(max_tokens: int, *, asks: int) -> int:
    """Return the bytes; `asks` is how often an answer may be paid, in answers of `max_tokens`."""
    return asks * (LINE_BYTES + max(0, min(max_tokens, MOST_TOKENS)) * BYTES_PER_TOKEN)
