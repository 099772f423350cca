"""Open Arrow files and streams in bounded memory: what their messages announce is checked before Arrow reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, NoReturn

from batchdrop.adapters.formats.arrow.flatbuffer import DICTIONARY, RECORDS, BadMessage, Body, footer_blocks, message
from batchdrop.adapters.formats.arrow.slices import slices
from batchdrop.errors import UploadRejected

Form = Literal["file", "stream"]

MAX_BATCH_BYTES = 256_000_000  # ours: of a record batch as Arrow, which is in memory whole; also of all dictionaries
MAX_METADATA_BYTES = 16_000_000  # ours: of one message; a schema of 16,000 columns takes 3 MB

_MAGIC = b"ARROW1"
_TAIL = 4 + len(_MAGIC)  # bytes: the footer's size, and the mark again
_FEATHER_1 = b"FEA1"
_CONTINUES = b"\xff\xff\xff\xff"
_HEAD = bytes(8)  # a mark and a size
_END = bytes(4)  # of a stream before 0.15
_AS_IT_IS = -1  # the size of a buffer that is not compressed, although others are


@dataclass(frozen=True, slots=True)
class Found:
    """What the messages say: file or stream, the codec of the batches, and the rows of each."""

    form: Form
    codec: str
    rows: list[int]


def examined(stream: BinaryIO, filename: str) -> Found:
    """Look at all messages, and read no batch.

    Raises UploadRejected for a file that is not Arrow or is truncated, and for a batch that takes too much memory.
    """
    form, end = _form(stream, filename)
    codec, dictionaries, rows, messages = "", 0, list[int](), 0
    try:
        for at, metadata in _of_file(stream, end, filename) if form == "file" else _of_stream(stream, end, filename):
            found = message(metadata)
            messages += 1
            if at + found.size > end:
                _refuse_truncated(filename)
            if found.body:
                unpacked = _unpacked(stream, at, found.body, found.size)
                dictionaries += unpacked if found.kind == DICTIONARY else 0
                _refuse_large(
                    "dictionaries take" if found.kind == DICTIONARY else "a record batch takes",
                    max(unpacked, dictionaries),
                    filename,
                )
                if found.kind == RECORDS:
                    codec = codec or found.body.codec
                    rows.append(found.body.rows)
            stream.seek(at + found.size)
    except BadMessage as problem:
        _refuse_broken(filename, str(problem), problem)
    if not messages and form == "stream":
        _refuse_broken(filename, "it has no schema")
    return Found(form, codec, rows)


def open_arrow(stream: BinaryIO, found: Found) -> Any:
    """Open an examined file. Raises pyarrow's errors."""
    import pyarrow as pa

    stream.seek(0)
    return pa.ipc.open_file(stream) if found.form == "file" else pa.ipc.open_stream(stream)


def batches(reader: Any, found: Found, start: int, filename: str) -> Iterator[Any]:
    """Yield record batches of bounded size, from the row `start` on. Raises pyarrow's errors, and UploadRejected."""
    position = 0
    for number, rows in enumerate(found.rows):
        if found.form == "stream" or position + rows > start:  # a stream has no other way to the next batch
            batch = reader.get_batch(number) if found.form == "file" else reader.read_next_batch()
            batch.validate(full=True)  # a wrong offset in it would be read beyond the memory's end
            first = min(max(0, start - position), batch.num_rows)
            yield from slices(batch.slice(first), position + first, filename)
        position += rows


@contextmanager
def refusals(name: str) -> Iterator[None]:
    """Turn pyarrow's errors about a broken file into UploadRejected; the bucket's errors pass through."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError, OverflowError, EOFError) as error:
        _refuse_broken(name, str(error), error)
    except OSError as error:
        if type(error) is not OSError or error.errno is not None:  # from the network, not from pyarrow
            raise
        _refuse_broken(name, str(error), error)


def _form(stream: BinaryIO, filename: str) -> tuple[Form, int]:
    """Return the form, and where the messages end."""
    size = stream.seek(0, 2)
    stream.seek(0)
    head = stream.read(8)
    if head.startswith(_FEATHER_1):
        _refuse(filename, "this is Feather version 1, which nobody writes any more. Write it as version 2")
    if not head.startswith(_MAGIC):
        if not head.startswith(_CONTINUES):
            _refuse(filename, "this is not an Arrow file. Give it the right extension, or write it as Arrow")
        return "stream", size
    stream.seek(max(0, size - _TAIL))
    tail = stream.read(_TAIL)
    end = size - _TAIL - int.from_bytes(tail[:4], "little", signed=True)
    if tail[4:] != _MAGIC or not len(head) <= end <= size - _TAIL:
        _refuse_truncated(filename)
    if size - _TAIL - end > MAX_METADATA_BYTES:
        _refuse_broken(filename, "its footer is too long")
    return "file", end


def _of_file(stream: BinaryIO, end: int, filename: str) -> Iterator[tuple[int, bytes]]:
    """Yield where each body of a file begins, and its message's metadata, by the footer."""
    size = stream.seek(0, 2)
    stream.seek(end)
    for block in footer_blocks(stream.read(size - _TAIL - end)):
        if not len(_HEAD) <= block.head <= MAX_METADATA_BYTES or not 0 <= block.offset <= end - block.head:
            _refuse_broken(filename, "its footer names a place outside the file")
        stream.seek(block.offset)
        metadata = stream.read(block.head)
        yield block.offset + block.head, metadata[8 if metadata.startswith(_CONTINUES) else 4 :]


def _of_stream(stream: BinaryIO, end: int, filename: str) -> Iterator[tuple[int, bytes]]:
    """Yield where each message's body begins, and its metadata; the caller seeks to the body's end."""
    stream.seek(0)
    while stream.tell() < end:
        head = stream.read(8)
        length = int.from_bytes(head[4:], "little", signed=True)
        if len(head) < len(_HEAD) or head.startswith(_END) or not length:
            return
        if not head.startswith(_CONTINUES):
            _refuse_broken(filename, "a message has no mark; it may be of a version before 0.15")
        if not 0 < length <= MAX_METADATA_BYTES:
            _refuse_broken(filename, f"a message declares {length:,} bytes of metadata")
        metadata = stream.read(length)
        if len(metadata) < length:
            _refuse_truncated(filename)
        yield stream.tell(), metadata


def _unpacked(stream: BinaryIO, at: int, body: Body, size: int) -> int:
    """Return how many bytes a body's buffers take in memory; compressed ones begin with that number."""
    total = 0
    for offset, length in body.buffers:
        if offset < 0 or length < 0 or offset + length > size:
            message = "a buffer is outside its batch"
            raise BadMessage(message)
        declared = length
        if body.codec and length:
            stream.seek(at + offset)
            declared = int.from_bytes(stream.read(8), "little", signed=True)
        if declared < _AS_IT_IS:
            message = "a buffer has no size"
            raise BadMessage(message)
        total += length if declared == _AS_IT_IS else declared
    return total


def _refuse_large(what: str, size: int, filename: str) -> None:
    if size > MAX_BATCH_BYTES:
        _refuse(
            filename,
            f"{what} {size:,} bytes of memory, more than {MAX_BATCH_BYTES:,}. Write the Arrow file with smaller record "
            "batches, or as Parquet",
        )


def _refuse_truncated(filename: str) -> NoReturn:
    _refuse(filename, "the Arrow file is truncated. Copy the whole file and drop it again")


def _refuse_broken(filename: str, reason: str, error: BaseException | None = None) -> NoReturn:
    [first, *_] = reason.strip().splitlines() or ["no reason given"]
    _refuse(filename, f"the Arrow file is broken ({first.strip('. ')}). Write it again and drop it again", error)


def _refuse(filename: str, reason: str, error: BaseException | None = None) -> NoReturn:
    message = f"{filename}: {reason}"
    raise UploadRejected(message) from error
