"""Decompress bodies that gateways compressed although no client wants that. A body that resists is kept."""

from __future__ import annotations

import zlib
from collections.abc import Callable

_GZIP_MAGIC = b"\x1f\x8b"  # some gateways compress and do not say so; JSON never starts like this
_GZIP, _RAW = 31, -15  # zlib's window bits
_MOST_ENCODINGS = 4  # of one body; real ones have one or two


def plain_body(body: bytes, encoding: str) -> bytes:
    """Return a body without its encodings, such as `gzip` or `gzip, br`.

    If a compressed body was cut, return what it holds as far as it can be read. A body of an unknown encoding, or one
    that is broken, is returned as it came: it may be paid, and its bytes are kept.
    """
    names = [name.strip().lower() for name in encoding.split(",")] if encoding else []
    for name in reversed(names[-_MOST_ENCODINGS:]):
        body = _decoded(body, _DECODERS.get(name, _as_it_is))
    return _decoded(body, _gunzip) if body.startswith(_GZIP_MAGIC) else body


def _decoded(body: bytes, decode: Callable[[bytes], bytes]) -> bytes:
    try:
        return decode(body) or body
    except Exception:  # noqa: BLE001 - each decompressor has an error of its own, and none must lose a paid answer
        return body


def _as_it_is(body: bytes) -> bytes:
    return body


def _gunzip(body: bytes) -> bytes:
    return zlib.decompressobj(wbits=_GZIP).decompress(body)


def _inflate(body: bytes) -> bytes:
    """Decompress `deflate`. By its standard it has zlib's header; some servers leave the header out."""
    try:
        return zlib.decompressobj().decompress(body)
    except zlib.error:
        return zlib.decompressobj(wbits=_RAW).decompress(body)


def _unbrotli(body: bytes) -> bytes:
    import brotli

    found: bytes = brotli.Decompressor().process(body)
    return found


def _unzstd(body: bytes) -> bytes:
    from backports import zstd

    return zstd.ZstdDecompressor().decompress(body)


_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
