"""Read the requests of a create body line by line, keeping the bytes of `params`."""

from __future__ import annotations

import msgspec


class StoredRequest(msgspec.Struct):
    """One request of a create body."""

    custom_id: str
    params: msgspec.Raw


_REQUEST = msgspec.json.Decoder(StoredRequest)


def stored_request(line: bytes) -> StoredRequest | None:
    """Return the request on one line of a create body; None for the two lines around the requests."""
    if not line.startswith(b'{"custom_id"'):
        return None
    return _REQUEST.decode(line.removesuffix(b","))
