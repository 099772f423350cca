"""Bound what the pages of a Parquet file unpack to, before pyarrow unpacks them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO, NamedTuple

from batchdrop.adapters.formats.parquet.footer import Chunk
from batchdrop.adapters.formats.parquet.thrift import INTEGERS, BadThrift, Thrift
from batchdrop.errors import UploadRejected

MAX_PAGE_BYTES = 64_000_000  # ours: writers make pages of a megabyte; a page is in memory whole
MAX_BATCH_VALUES = 256_000_000  # bytes of texts that the rows of one batch may refer to
WALKED_BYTES = 16_000_000  # of a file whose pages are all looked at: bombs are small
MAX_PAGE_RATIO = 100  # ours: a column that shrinks to less is looked at page by page, in a larger file, too

_HEADER_BYTES = 128  # of a page's header, usually
_LONGEST_HEADER = 1 << 20  # with statistics of long texts
_UNPACKED, _PACKED = 2, 3  # its fields
_NEAR = 16_384  # a dictionary up to this size needs no look at its values


class _Page(NamedTuple):
    unpacked: int
    packed: int


def refuse_large_pages(stream: BinaryIO, groups: list[list[Chunk]], filename: str, size: int) -> None:
    """Raise UploadRejected for a page that unpacks to more than MAX_PAGE_BYTES, like a bomb."""
    for chunk in chain.from_iterable(groups):
        is_steep = chunk.unpacked > max(MAX_PAGE_BYTES, MAX_PAGE_RATIO * chunk.packed)
        for page in _pages(stream, chunk) if size <= WALKED_BYTES or is_steep else ():
            if page.unpacked > max(MAX_PAGE_BYTES, MAX_PAGE_RATIO * page.packed):
                message = (
                    f"{filename}: a page of column '{chunk.path}' unpacks from {page.packed:,} to "
                    f"{page.unpacked:,} bytes; it is a decompression bomb. Write smaller pages"
                )
                raise UploadRejected(message)


class Texts:
    """Knows how many rows of a row group a batch may have: a dictionary may repeat a long text."""

    def __init__(self, stream: BinaryIO, metadata: Any, groups: list[list[Chunk]]) -> None:
        self._stream = stream
        self._metadata = metadata
        self._groups = groups

    def most_rows(self, group: int, most: int) -> int:
        """Return the most rows of a batch; at most `most`."""
        sizes = {chunk.path: self._dictionary_bytes(chunk) for chunk in self._groups[group] if chunk.has_texts}
        if sum(sizes.values()) * most <= MAX_BATCH_VALUES:
            return most
        longest = sum(self._longest(group, path, size) if size > _NEAR else size for path, size in sizes.items())
        return max(1, min(most, MAX_BATCH_VALUES // max(1, longest)))

    def _dictionary_bytes(self, chunk: Chunk) -> int:
        page = next(_pages(self._stream, chunk), None)
        return max(0, page.unpacked) if page else 0

    def _longest(self, group: int, path: str, size: int) -> int:
        """Return the length of a dictionary's longest text; its size if pyarrow does not show the dictionary."""
        import pyarrow.compute as pc
        import pyarrow.parquet as pq
        import pyarrow.types as is_type

        self._stream.seek(0)
        file = pq.ParquetFile(
            self._stream, metadata=self._metadata, read_dictionary=[path], pre_buffer=False, buffer_size=1 << 16
        )
        batch = next(file.iter_batches(1, [group], columns=[path], use_threads=False), None)
        if batch is None or batch.num_columns != 1 or not is_type.is_dictionary(batch.column(0).type):
            return size
        return int(pc.max(pc.binary_length(batch.column(0).dictionary)).as_py() or 0)


def _pages(stream: BinaryIO, chunk: Chunk) -> Iterator[_Page]:
    """Yield a column's pages; stop at bytes that cannot be a header, which pyarrow will refuse."""
    at, end = chunk.start, chunk.start + chunk.packed
    while 0 <= at < end:
        header = _header(stream, at, _HEADER_BYTES) or _header(stream, at, _LONGEST_HEADER)
        if header is None:
            return
        page, length = header
        yield page
        if page.packed < 0:
            return
        at += length + page.packed


def _header(stream: BinaryIO, at: int, most: int) -> tuple[_Page, int] | None:
    """Return the page that begins at a place, and its header's length; None if the header is longer, or none."""
    stream.seek(at)
    thrift = Thrift(stream.read(most))
    numbers: dict[int, int] = {}
    try:
        for number, kind in thrift.fields():
            if kind in INTEGERS:
                numbers[number] = thrift.integer()
            else:
                thrift.skip(kind)
    except BadThrift:
        return None
    return _Page(numbers.get(_UNPACKED, 0), numbers.get(_PACKED, 0)), thrift.at
