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

    def __init__(self, stream: BinaryIO, metadata: Any, groups: list[list[Chunk]], filename: str) -> None:
        self._stream = stream
        self._metadata = metadata
        self._groups = groups
        self._filename = filename

    def most_rows(self, group: int, most: int) -> int:
        """Return the most rows of a batch; at most `most`.

        Raises UploadRejected if one row's list repeats long texts beyond MAX_BATCH_VALUES.
        """
        largest = 0
        for number, chunk in enumerate(self._groups[group]):
            if chunk.has_texts:
                is_list = self._metadata.schema.column(number).max_repetition_level > 0
                largest += self._largest_list(group, chunk, most) if is_list else self._largest_text(group, chunk, most)
        return max(1, min(most, MAX_BATCH_VALUES // max(1, largest)))

    def _largest_text(self, group: int, chunk: Chunk, most: int) -> int:
        size = self._dictionary_bytes(chunk)
        is_near = size <= _NEAR or size * most <= MAX_BATCH_VALUES
        return size if is_near else self._longest(group, chunk.path, size)

    def _largest_list(self, group: int, chunk: Chunk, most: int) -> int:
        """Return the bytes of a row's texts, at most; or their share of a batch that has all of the column's."""
        size = self._dictionary_bytes(chunk)
        if size * chunk.values <= MAX_BATCH_VALUES:
            return size * chunk.values // most
        longest = self._longest(group, chunk.path, size)
        if longest * chunk.values <= MAX_BATCH_VALUES:
            return longest * chunk.values // most
        columns = (batch.column(0) for batch in self._indices(group, chunk.path, most))
        return max((self._largest_row(column, chunk.path, longest, most) for column in columns), default=0)

    def _largest_row(self, column: Any, path: str, longest: int, most: int) -> int:
        if (whole := longest * len(_leaves(column))) <= MAX_BATCH_VALUES:
            return whole // most
        values = max(len(_leaves(column.slice(row, 1))) for row in range(len(column)))
        if longest * values > MAX_BATCH_VALUES:
            message = (
                f"{self._filename}: one row's list in column '{path}' has {values:,} texts of up to "
                f"{longest:,} bytes, and its dictionary each only once; it is a decompression bomb. Write smaller lists"
            )
            raise UploadRejected(message)
        return longest * values

    def _dictionary_bytes(self, chunk: Chunk) -> int:
        page = next(_pages(self._stream, chunk), None)
        return max(0, page.unpacked) if page else 0

    def _longest(self, group: int, path: str, size: int) -> int:
        """Return the length of a dictionary's longest text; its size if pyarrow does not show the dictionary."""
        import pyarrow.compute as pc
        import pyarrow.types as is_type

        batch = next(self._indices(group, path, 1), None)
        texts = None if batch is None or batch.num_columns != 1 else _leaves(batch.column(0))
        if texts is None or not is_type.is_dictionary(texts.type):
            return size
        return int(pc.max(pc.binary_length(texts.dictionary)).as_py() or 0)

    def _indices(self, group: int, path: str, rows: int) -> Iterator[Any]:
        """Yield a column's batches with their texts still in the dictionary."""
        import pyarrow.parquet as pq

        self._stream.seek(0)
        file = pq.ParquetFile(
            self._stream, metadata=self._metadata, read_dictionary=[path], pre_buffer=False, buffer_size=1 << 16
        )
        yield from file.iter_batches(rows, [group], columns=[path], use_threads=False)


def _leaves(column: Any) -> Any:
    """Return the values inside a column's lists and structs, of which each has one member."""
    import pyarrow.types as is_type

    while is_type.is_nested(column.type):
        column = column.flatten()[0] if is_type.is_struct(column.type) else column.flatten()
    return column


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
