"""What text outputs have in common: parts that stand behind each other, in an encoding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from batchdrop.adapters.formats.encodings import UTF_8, Encoding
from batchdrop.adapters.formats.parts import copy
from batchdrop.ports import InputFormat, OutputFormat, Source, Writer


class Framed(OutputFormat, Protocol):
    """An output that is its parts behind each other, with something before and after them."""

    @property
    def before(self) -> bytes:
        """Return what the output begins with."""

    @property
    def after(self) -> bytes:
        """Return what the output ends with."""


def assemble(output: Framed, parts: Iterable[Source], target: Writer) -> None:
    """Write a framed output."""
    target.write(output.before)
    copy(parts, target)
    target.write(output.after)


def encoding_of(reader: InputFormat) -> Encoding:
    """Return the encoding of a text file; UTF-8 for what is no text."""
    found = getattr(reader, "encoding", UTF_8)
    assert isinstance(found, Encoding)
    return found


def for_json(encoding: Encoding) -> Encoding:
    """Return an encoding as JSON has it: UTF-8 without a byte order mark (RFC 8259, section 8.1)."""
    return replace(encoding, marked=encoding.marked and encoding.name != UTF_8.name)
