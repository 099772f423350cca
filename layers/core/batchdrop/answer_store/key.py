"""The key of an answer: a keyed hash of its request, without what does not change the answer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b

import msgspec

KEY_BYTES = 16  # the chance that two of 10,000,000 requests collide is 1 in 10^24
SECRET_BYTES = 32

# `params` as a recipe's requests begin: no string before `max_tokens` but the model, so it is the request's own.
_LIMIT = re.compile(rb'\{"model":"(?:[^"\\]|\\.)*"(,"max_tokens":\d+)[,}]')
_OWN_ORDER, _SORTED = b"\0", b"\1"  # two forms of requests never share a hash


class Keys:
    """Makes the keys of one recipe. `secret` is its store's; `policy` is what else decides which answer counts.

    `policy` is empty, or the JSON of the recipe's `escalate`.
    """

    def __init__(self, secret: bytes, policy: bytes = b"") -> None:
        if len(secret) != SECRET_BYTES:
            message = f"an answer store's secret has {SECRET_BYTES} bytes, not {len(secret)}"
            raise ValueError(message)
        # Its length comes first, so that no request can begin with a part of it.
        self._start = blake2b(b"%d:%b" % (len(policy), policy), digest_size=KEY_BYTES, key=secret)

    def of(self, params: bytes) -> bytes:
        """Return the key of a request's `params`, one object of JSON."""
        hashed = self._start.copy()
        for piece in _without_limit(params):
            hashed.update(piece)
        return hashed.digest()

    def of_all(self, requests: Iterable[bytes | None]) -> list[bytes | None]:
        """Return the key of each request; None where there is none."""
        return [None if params is None else self.of(params) for params in requests]


def _without_limit(params: bytes) -> tuple[bytes, ...]:
    """Return the pieces of a request that decide its answer. A complete answer is the same under any `max_tokens`."""
    found = _LIMIT.match(params)
    if found is not None:
        start, end = found.span(1)
        return _OWN_ORDER, params[:start], params[end:]
    fields = msgspec.json.decode(params, type=dict[str, msgspec.Raw])
    fields.pop("max_tokens", None)
    return _SORTED, msgspec.json.encode(dict(sorted(fields.items())))
