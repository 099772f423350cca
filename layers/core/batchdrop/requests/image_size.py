"""Read an image's width and height from its header."""

from __future__ import annotations

from struct import Struct, error

from batchdrop.errors import RowRejected

_PNG = Struct(">16xII")  # after the signature, and IHDR's length and name
_GIF = Struct("<6xHH")
_WEBP = Struct("<12x4s4x10s")  # the first chunk's name, and its first bytes
_SEGMENT = Struct(">BBH")  # of a JPEG: 0xff, marker, length; the length counts its own two bytes
_MARK = 0xFF
_FRAME = Struct(">xHH")
_BARE_MARKERS = {0x01, *range(0xD0, 0xD9)}  # segments without a length
_FRAME_MARKERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # those three are tables


def image_size(body: bytes, media_type: str) -> tuple[int, int]:
    """Return width and height in pixels. Raises RowRejected for a truncated or damaged header."""
    try:
        width, height = _READERS[media_type](body)
    except (error, IndexError):
        width, height = 0, 0
    if not width or not height:
        reason = "the image is truncated or damaged: its header has no width and height; save it again"
        raise RowRejected(reason)
    return width, height


def _png(body: bytes) -> tuple[int, int]:
    width, height = _PNG.unpack_from(body)
    return width, height


def _gif(body: bytes) -> tuple[int, int]:
    width, height = _GIF.unpack_from(body)
    return width, height


def _jpeg(body: bytes) -> tuple[int, int]:
    """Walk the segments up to the frame header; the length of each segment leads to the next."""
    place = 2
    while True:
        if body[place] == body[place + 1] == _MARK:  # fill bytes
            place += 1
            continue
        mark, marker, length = _SEGMENT.unpack_from(body, place)
        if mark != _MARK:
            return 0, 0
        if marker in _FRAME_MARKERS:
            height, width = _FRAME.unpack_from(body, place + _SEGMENT.size)
            return width, height
        place += 2 if marker in _BARE_MARKERS else 2 + max(length, 2)


def _webp(body: bytes) -> tuple[int, int]:
    kind, head = _WEBP.unpack_from(body)
    match kind:
        case b"VP8 ":  # lossy: 14 bits each, after the frame's tag and start code
            return _little(head[6:8]) & 0x3FFF, _little(head[8:10]) & 0x3FFF
        case b"VP8L":  # lossless: 14 bits each, minus one, after one byte
            bits = _little(head[1:5])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":  # extended: 24 bits each, minus one, after the flags
            return _little(head[4:7]) + 1, _little(head[7:10]) + 1
        case _:
            return 0, 0


def _little(piece: bytes) -> int:
    return int.from_bytes(piece, "little")


_READERS = {"image/png": _png, "image/gif": _gif, "image/jpeg": _jpeg, "image/webp": _webp}
