"""The base of readers that unpack a file, or find its format, and leave its rows to another reader."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from batchdrop.job.ports import InputFormat, Sidecar
from batchdrop.ports import Writer


class AroundInput:
    """Has the rows of `inner`, which subclasses set."""

    inner: InputFormat

    @property
    def name(self) -> str:
        """Return the content's format."""
        return self.inner.name

    @property
    def columns(self) -> list[str] | None:
        """Return the header's columns."""
        return self.inner.columns

    @property
    def notes(self) -> list[str]:
        """Return what was found in the content, for people."""
        return self.inner.notes

    @property
    def sidecar(self) -> Callable[[Writer], AbstractContextManager[Sidecar]] | None:
        """Return the keeper of a shard's exact values, if the content's format needs one."""
        return self.inner.sidecar

    def cells(self, raw: str) -> dict[str, Any] | None:
        """Return a stored row's cells."""
        return self.inner.cells(raw)


def innermost(reader: InputFormat) -> InputFormat:
    """Return the reader of the rows themselves, without those that unpack the file or find its format."""
    while isinstance(reader, AroundInput):
        reader = reader.inner
    return reader
