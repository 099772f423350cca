"""Read JSON as gateways pass it on: after a byte order mark, or compressed although no client wants that."""

from __future__ import annotations

from codecs import BOM_UTF8

UNCOMPRESSED = {"Accept-Encoding": "identity"}
"""Sent with every call: decompressing costs more than it saves. The HTTP clients decompress what comes anyway."""


def json_of(body: bytes) -> bytes:
    """Return a body without the byte order mark that some gateways put before it."""
    return body.removeprefix(BOM_UTF8)
