"""Any input that is compressed, and any text output that shall be."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from batchdrop.adapters.formats.compression import compressing, decompressed
from batchdrop.adapters.formats.decoders import Kind
from batchdrop.adapters.formats.parts import copy
from batchdrop.adapters.formats.text_output import Framed
from batchdrop.domain.row import Cursor, Row
from batchdrop.ports import InputFormat, OutputFormat, PartWriter, Sidecar, Source, Writer


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
        with compressing(target, self._kind) as compressed, self._inner.part(compressed, sidecar) as part:
            yield part

    def assemble(self, parts: Iterable[Source], target: Writer) -> None:
        """Write the parts, which are compressed already, behind each other."""
        self._write(self._inner.before, target)
        copy(parts, target)
        self._write(self._inner.after, target)

    def _write(self, framing: bytes, target: Writer) -> None:
        if framing:
            with compressing(target, self._kind) as compressed:
                compressed.write(framing)


class CompressedWhole:
    """Writes an output compressed that is more than its parts behind each other; the parts stay as they are."""

    def __init__(self, inner: OutputFormat, kind: Kind) -> None:
        self.extension = f"{inner.extension}.{kind}"
        self._inner = inner
        self._kind: Kind = kind

    def part(self, target: Writer, sidecar: Source | None) -> AbstractContextManager[PartWriter]:
        """Begin a shard's part."""
        return self._inner.part(target, sidecar)

    def assemble(self, parts: Iterable[Source], target: Writer) -> None:
        """Write the output, compressed."""
        with compressing(target, self._kind) as compressed:
            self._inner.assemble(parts, compressed)
