"""Compressed inputs of any format, and compressed text outputs."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from batchdrop.adapters.formats.around_input import AroundInput
from batchdrop.adapters.formats.compression.compression import compressed, compressing, decompressed
from batchdrop.adapters.formats.compression.decoders import Kind
from batchdrop.adapters.formats.text.text_output import Assembled, Framed
from batchdrop.job.ports import Assemble, Frame, InputFormat, PartWriter
from batchdrop.ports import Source, Writer
from batchdrop.requests.row import Cursor, Row


class CompressedInput(AroundInput):
    """Reads a compressed file by the format of its content. Offsets count decompressed bytes."""

    def __init__(self, inner: InputFormat, kind: Kind) -> None:
        self.inner = inner
        self.kind: Kind = kind

    @property
    def header(self) -> str:
        """Return what a later reading needs to know about the file's start."""
        return self.inner.header

    def row_blocks(self, source: Source, start: Cursor) -> Generator[list[Row], None, None]:
        """Read the rows that follow `start`."""
        return self.inner.row_blocks(decompressed(source, self.kind), start)


class CompressedOutput:
    """Writes a compressed text output: each part and the frame is a member (frame, stream) of its own."""

    changes_upload = False

    def __init__(self, inner: Framed, kind: Kind) -> None:
        self.extension = f"{inner.extension}.{kind}"
        self._inner = inner
        self._kind: Kind = kind

    @contextmanager
    def part(self, target: Writer, sidecar: Source | None) -> Iterator[PartWriter]:
        """Open a shard's part."""
        with compressing(target, self._kind) as member, self._inner.part(member, sidecar) as part:
            yield part

    @property
    def whole(self) -> Frame:
        """Return the frame, compressed like the parts."""
        inner = self._inner.whole
        return Frame(self._compressed(inner.before), self._compressed(inner.after))

    def _compressed(self, framing: bytes) -> bytes:
        return compressed(framing, self._kind) if framing else b""


class CompressedWhole:
    """Writes a compressed output that is more than its concatenated parts; the parts stay uncompressed."""

    def __init__(self, inner: Assembled, kind: Kind) -> None:
        self.extension = f"{inner.extension}.{kind}"
        self.changes_upload = inner.changes_upload
        self._inner = inner
        self._kind: Kind = kind

    def part(self, target: Writer, sidecar: Source | None) -> AbstractContextManager[PartWriter]:
        """Open a shard's part."""
        return self._inner.part(target, sidecar)

    @property
    def whole(self) -> Assemble:
        """Return a function that writes the output, compressed."""
        return self._assemble

    def _assemble(self, parts: Iterable[Source], target: Writer, upload: Source | None = None) -> None:
        with compressing(target, self._kind) as whole:
            self._inner.whole(parts, whole, upload)
