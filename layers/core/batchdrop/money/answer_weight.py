"""The disk space that a request's answers may need where `collect_results` keeps a shard's result lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from batchdrop.money.request_count import most_escalated, most_paid
from batchdrop.recipe.recipe import Recipe

LINE_BYTES = 800  # per result line, beside its text: ids, model, usage (about 560 in the emulator)
# Twice the usual four, because JSON escapes (quotes, newlines, \uXXXX) take two to six bytes.
BYTES_PER_TOKEN = 8
MOST_TOKENS = 300_000  # no model writes more; the API refuses a larger `max_tokens`


class _MaxTokens(msgspec.Struct):
    max_tokens: int = 0


_MAX_TOKENS = msgspec.json.Decoder(_MaxTokens)


def weigher(recipe: Recipe | None) -> Callable[[Sequence[bytes | None]], list[int]]:
    """Return a function from `params` to the most bytes that each request's answers may take, retries included.

    A row without a request (None) has no answer. A recipe's requests weigh the same, unless each row has its own
    `max_tokens`, as ready requests in the file have.
    """
    times = 1 if recipe is None else most_paid(recipe)[1] + most_escalated(recipe)
    limit = None if recipe is None else recipe.own_tokens
    if limit is None:
        return lambda requests: [0 if params is None else _own_weight(params, times) for params in requests]
    weight = _weight(limit, times=times)
    return lambda requests: [0 if params is None else weight for params in requests]


def _own_weight(params: bytes, times: int) -> int:
    try:
        tokens = _MAX_TOKENS.decode(params).max_tokens
    except (msgspec.DecodeError, UnicodeDecodeError):  # the API refuses it, with a short line
        tokens = 0
    return _weight(tokens, times=times)


def _weight(max_tokens: int, *, times: int) -> int:
    """Return the bytes of `times` answers of `max_tokens`."""
    return times * (LINE_BYTES + max(0, min(max_tokens, MOST_TOKENS)) * BYTES_PER_TOKEN)
