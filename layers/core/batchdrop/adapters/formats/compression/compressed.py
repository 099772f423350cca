"""Any input that is compressed, and any text output that shall be."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from batchdrop.adapters.formats.compression.compression import compressed, compressing, decompressed
from batchdrop.adapters.formats.compression.decoders import Kind
from batchdrop.adapters.formats.text.text_output import Assembled, Framed
from batchdrop.job.ports import Assemble, Frame, InputFormat, PartWriter, Sidecar
from batchdrop.ports import Source, Writer
from batchdrop.requests.row import Cursor, Row


class CompressedInput:
    """Reads a compressed file by the format of what it holds. Offsets are those of the decompressed bytes."""

    def __init__(self, inner: InputFormat, kind: Kind) -> None:
        self.name = inner.name
        self.inner = inner
        self.kind: Kind = kind

    @property
    def columns(self) -> list[str] | None:
        """Return the header's columns."""
        return self.inner.columns

    @property
    def header(self) -> str:
        """Return what a later reading needs to know of the file's beginning."""
        return self.inner.header

    @property
    def sidecar(self) -> Callable[[Writer], AbstractContextManager[Sidecar]] | None:
        """Return what keeps a shard's exact values, where the format inside needs it."""
        return self.inner.sidecar

    def row_blocks(self, source: Source, start: Cursor) -> Generator[list[Row], None, None]:
        """Read the rows that follow `start`."""
        return self.inner.row_blocks(decompressed(source, self.kind), start)

    def cells(self, raw: str) -> dict[str, Any] | None:
        """Return a stored row's cells."""
        return self.inner.cells(raw)


class CompressedOutput:
    """Writes a text output compressed: each part is a member (frame, stream) of its own, and so is the frame."""

    def __init__(self, inner: Framed, kind: Kind) -> None:
        self.extension = f"{inner.extension}.{kind}"
        self._inner = inner
        self._kind: Kind = kind

    @contextmanager
    def part(self, target: Writer, sidecar: Source | None) -> Iterator[PartWriter]:
        """Begin a shard's part."""
        with compressing(target, self._kind) as member, self._inner.part(member, sidecar) as part:
            yield part

    @property
    def whole(self) -> Frame:
        """Return the frame, compressed as the parts are."""
        inner = self._inner.whole
        return Frame(self._compressed(inner.before), self._compressed(inner.after))

    def _compressed(self, framing: bytes) -> bytes:
        return compressed(framing, self._kind) if framing else b""


class CompressedWhole:
    """Writes an output compressed that is more than its parts behind each other; the parts stay as they are."""

    def __init__(self, inner: Assembled, kind: Kind) -> None:
        self.extension = f"{inner.extension}.{kind}"
        self._inner = inner
        self._kind: Kind = kind

    def part(self, target: Writer, sidecar: Source | None) -> AbstractContextManager[PartWriter]:
        """Begin a shard's part."""
        return self._inner.part(target, sidecar)

    @property
    def whole(self) -> Assemble:
        """Return what writes the output, compressed."""
        return self._assemble

    def _assemble(self, parts: Iterable[Source], target: Writer) -> None:
        with compressing(target, self._kind) as whole:
            self._inner.whole(parts, whole)
