"""Responses as gateways pass them on, and Message Batches that are not what the types say."""

import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any

from starlette.responses import Response

from batchdrop.local.claude_api.connection import LinesResponse
from batchdrop.local.claude_api.faults import Counts, Shape

_GZIP_BITS = 31
_DEFLATE_BITS = 15
_COMPRESSED = {"gzip": _GZIP_BITS, "deflate": _DEFLATE_BITS}


def misshapen(response: Response, shape: Shape) -> Response:
    """Return the response with a compressed, marked or cut body."""
    headers = {"content-encoding": shape} if shape in _COMPRESSED else {}
    if isinstance(response, LinesResponse):
        return LinesResponse(_changed(response.blocks, shape), headers)
    body = b"".join(_changed(iter([bytes(response.body)]), shape))
    return Response(body, response.status_code, headers, media_type=response.media_type)


def _changed(blocks: Iterator[bytes], shape: Shape) -> Iterator[bytes]:
    match shape:
        case "gzip" | "deflate":
            packer = zlib.compressobj(wbits=_COMPRESSED[shape])
            for block in blocks:
                yield packer.compress(block)
            yield packer.flush()
        case "bom":
            yield BOM_UTF8
            yield from blocks
        case "crlf":
            yield b"\r\n"
            for block in blocks:
                yield block.replace(b"\n", b"\r\n")
            yield b"\r\n"
        case _:
            for block in blocks:
                yield block[: len(block) // 2]
                return


def miscounted(view: dict[str, Any], counts: Counts) -> dict[str, Any]:
    """Return a Message Batch with other `request_counts`."""
    known = view["request_counts"]
    wrong: Any
    match counts:
        case "missing":
            return {name: value for name, value in view.items() if name != "request_counts"}
        case "null":
            wrong = None
        case "text":
            wrong = {name: str(count) for name, count in known.items()}
        case "zero":
            wrong = dict.fromkeys(known, 0)
        case "more":
            wrong = {**known, "succeeded": known["succeeded"] + 1}
        case _:
            fewer = max(known, key=lambda name: known[name])
            wrong = {**known, fewer: known[fewer] - 1}
    return {**view, "request_counts": wrong}
