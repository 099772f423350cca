"""Parse a workbook's XML as a stream: local names, no DTD, bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO, Protocol
from xml.parsers import expat

from batchdrop.adapters.formats.xlsx.limits import MAX_XLSX_DEPTH, MAX_XLSX_TOKEN_BYTES

Attributes = dict[str, str]

_BLOCK = 64 * 1024
_KNOWN_NAMES = 1_000
_NAMESPACES = {
    "",
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
    "http://schemas.openxmlformats.org/package/2006/relationships",
}


class Readable(Protocol):
    """What is parsed."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes; none at the end."""


class BadXml(Exception):  # Package.refusals turns it into UploadRejected
    """XML that no spreadsheet program writes; the message says what is wrong."""


def parse(
    stream: Readable,
    *,
    start: Callable[[str, Attributes], None],
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
    watched: Callable[[Callable[[], int]], None] | None = None,
) -> Iterator[None]:
    """Call `start`, `end` and `text` for the stream's content; yields after each block, so that callers can interleave.

    `watched` is given a function that returns the byte offset of the tag that is being handled.
    A document type raises BadXml: workbooks have none, and entities could only do harm.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    depth = _Depth(start, end)
    parser.StartElementHandler = depth.start
    parser.EndElementHandler = depth.end
    if text:
        parser.CharacterDataHandler = text
    if watched:
        watched(lambda: parser.CurrentByteIndex)
    fed = 0
    try:
        while block := stream.read(_BLOCK):
            parser.Parse(block, False)  # noqa: FBT003 - expat takes it by place
            fed += len(block)
            if fed - parser.CurrentByteIndex > MAX_XLSX_TOKEN_BYTES:
                message = f"it has a tag of more than {MAX_XLSX_TOKEN_BYTES:,} bytes"
                raise BadXml(message)
            yield
        parser.Parse(b"", True)  # noqa: FBT003 - likewise
    except (expat.ExpatError, LookupError, UnicodeError) as error:  # the latter two: an unknown encoding
        message = f"its XML is broken: {error}"
        raise BadXml(message) from error
    yield


def parse_all(
    stream: IO[bytes],
    *,
    start: Callable[[str, Attributes], None],
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
) -> None:
    """Parse the whole stream."""
    for _ in parse(stream, start=start, end=end, text=text):
        pass


class _Depth:
    """Passes elements on by their local names, and counts the nesting."""

    def __init__(self, start: Callable[[str, Attributes], None], end: Callable[[str], None] | None) -> None:
        self._start = start
        self._end = end
        self._depth = 0
        self._tags = _LocalNames()

    def start(self, name: str, attributes: Attributes) -> None:
        self._depth += 1
        if self._depth > MAX_XLSX_DEPTH:
            message = f"its XML is nested more than {MAX_XLSX_DEPTH} deep"
            raise BadXml(message)
        self._start(self._tags[name], attributes)

    def end(self, name: str) -> None:
        self._depth -= 1
        if self._end:
            self._end(self._tags[name])


class _LocalNames(dict[str, str]):
    """Local names of a workbook's own elements, cached; those of extensions keep their namespace."""

    def __missing__(self, name: str) -> str:
        namespace, _, local = name.rpartition(" ")
        if namespace not in _NAMESPACES:
            local = name
        if len(self) < _KNOWN_NAMES:
            self[name] = local
        return local


def _refuse_doctype(*_: object) -> None:
    message = "it declares a document type (DTD), which no spreadsheet program writes"
    raise BadXml(message)
