"""Bound what the pages of a Parquet file unpack to, before pyarrow unpacks them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from batchdrop.errors import UploadRejected

MAX_PAGE_BYTES = 64_000_000  # ours: writers make pages of a megabyte; a page is in memory whole
MAX_BATCH_VALUES = 256_000_000  # bytes of texts that the rows of one batch may refer to
WALKED_BYTES = 16_000_000  # of a file whose pages are all looked at: bombs are small
MAX_PAGE_RATIO = 100  # ours: a column that shrinks to less is looked at page by page, in a larger file, too

_HEADER_BYTES = 128  # the first fields of a page's header take less
_LONGEST_HEADER = 1 << 20  # with statistics of long texts
_NEAR = 16_384  # a dictionary up to this size needs no look at its values


class _Page(NamedTuple):
    unpacked: int
    packed: int


def refuse_large_pages(stream: BinaryIO, metadata: Any, filename: str, size: int) -> None:
    """Raise UploadRejected for a page that unpacks to more than MAX_PAGE_BYTES, like a bomb."""
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(number)
            is_steep = chunk.total_uncompressed_size > MAX_PAGE_RATIO * max(1, chunk.total_compressed_size)
            if size <= WALKED_BYTES or (is_steep and chunk.total_uncompressed_size > MAX_PAGE_BYTES):
                for page in _pages(stream, chunk):
                    if page.unpacked > MAX_PAGE_BYTES and page.unpacked > MAX_PAGE_RATIO * page.packed:
                        message = (
                            f"{filename}: a page of column '{chunk.path_in_schema}' unpacks from {page.packed:,} to "
                            f"{page.unpacked:,} bytes; it is a decompression bomb. Write smaller pages"
                        )
                        raise UploadRejected(message)


def most_rows(stream: BinaryIO, metadata: Any, group: int, most: int) -> int:
    """Return how many rows of a group a batch may have, at most `most`: a dictionary may repeat a long text."""
    own = metadata.row_group(group)
    texts = [own.column(number) for number in range(metadata.num_columns)]
    sizes = {chunk.path_in_schema: _dictionary_bytes(stream, chunk) for chunk in texts if _has_dictionary(chunk)}
    if sum(sizes.values()) * min(most, own.num_rows) <= MAX_BATCH_VALUES:
        return most
    longest = sum(
        _longest(stream, metadata, group, path) or size if size > _NEAR else size for path, size in sizes.items()
    )
    return max(1, min(most, MAX_BATCH_VALUES // max(1, longest)))


def _has_dictionary(chunk: Any) -> bool:
    return bool(chunk.physical_type == "BYTE_ARRAY" and chunk.has_dictionary_page)


def _dictionary_bytes(stream: BinaryIO, chunk: Any) -> int:
    page = next(_pages(stream, chunk), None)
    return page.unpacked if page else 0


def _longest(stream: BinaryIO, metadata: Any, group: int, path: str) -> int | None:
    """Return the length of a dictionary's longest text; None if pyarrow does not show the dictionary."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    import pyarrow.types as is_type

    stream.seek(0)
    file = pq.ParquetFile(stream, metadata=metadata, read_dictionary=[path], pre_buffer=False, buffer_size=1 << 16)
    batch = next(file.iter_batches(1, [group], columns=[path], use_threads=False), None)
    if batch is None or batch.num_columns != 1 or not is_type.is_dictionary(batch.column(0).type):
        return None
    return int(pc.max(pc.binary_length(batch.column(0).dictionary)).as_py() or 0)


def _pages(stream: BinaryIO, chunk: Any) -> Iterator[_Page]:
    """Yield a column's pages; stop at bytes that cannot be a header, which pyarrow will refuse."""
    at = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        at = min(at, chunk.dictionary_page_offset)
    end = at + chunk.total_compressed_size
    while 0 <= at < end:
        stream.seek(at)
        found = _page(stream.read(_HEADER_BYTES))
        if found is None:
            return
        page, length = found
        yield page
        if length is None:
            stream.seek(at)
            length = _struct_end(stream.read(_LONGEST_HEADER))
        if length is None or page.packed < 0:
            return
        at += length + page.packed


def _page(head: bytes) -> tuple[_Page, int | None] | None:
    """Return a page by the beginning of its header (Thrift's compact protocol), and the header's length if known."""
    at, numbers = 0, []
    for _ in range(3):  # its kind, its size unpacked, its size as it is: each an i32, one field after another
        if head[at : at + 1] != b"\x15":
            return None
        number, at = _varint(head, at + 1)
        if number is None:
            return None
        numbers.append(number >> 1 ^ -(number & 1))
    return _Page(numbers[1], numbers[2]), _struct_end(head)


def _varint(data: bytes, at: int) -> tuple[int | None, int]:
    value = shift = 0
    while at < len(data) and shift < 70:  # noqa: PLR2004 - bits of the longest
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7
    return None, at


def _struct_end(data: bytes) -> int | None:
    """Return where the struct that begins these bytes ends; None if it is longer, or none."""
    try:
        return _skip_struct(data, 0, 0)
    except (IndexError, ValueError):
        return None


_DEEPEST = 8  # structs in structs; a page's header has three
_BOOLEANS, _BYTE, _INTEGERS, _DOUBLE, _BINARY, _STRUCT = {1, 2}, 3, {4, 5, 6}, 7, 8, 12


def _skip_struct(data: bytes, at: int, depth: int) -> int:
    if depth > _DEEPEST:
        raise ValueError
    while data[at]:
        kind, delta = data[at] & 0x0F, data[at] >> 4
        at += 1
        if not delta:
            at = _after_varint(data, at)
        at = _skip(data, at, kind, depth)
    return at + 1


def _skip(data: bytes, at: int, kind: int, depth: int) -> int:
    if kind in _BOOLEANS:
        return at
    if kind == _BYTE:
        return at + 1
    if kind in _INTEGERS:
        return _after_varint(data, at)
    if kind == _DOUBLE:
        return at + 8
    if kind == _BINARY:
        length, at = _varint(data, at)
        return at + (length or 0)
    if kind == _STRUCT:
        return _skip_struct(data, at, depth + 1)
    raise ValueError  # a page's header has no lists, sets or maps


def _after_varint(data: bytes, at: int) -> int:
    value, at = _varint(data, at)
    if value is None:
        raise IndexError
    return at
