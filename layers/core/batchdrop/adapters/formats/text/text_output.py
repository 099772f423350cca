"""What text outputs have in common: parts that stand behind each other, in an encoding."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from batchdrop.adapters.formats.text.encodings import UTF_8, Encoding
from batchdrop.job.ports import Assemble, Frame, InputFormat, OutputFormat


class Framed(OutputFormat, Protocol):
    """An output that is its parts behind each other."""

    @property
    def whole(self) -> Frame:
        """Return what stands around the parts."""


class Assembled(OutputFormat, Protocol):
    """An output that is written anew from its parts."""

    @property
    def whole(self) -> Assemble:
        """Return what writes it."""


def encoding_of(reader: InputFormat) -> Encoding:
    """Return the encoding of a text file; UTF-8 for what is no text."""
    found = getattr(reader, "encoding", UTF_8)
    assert isinstance(found, Encoding)
    return found


def for_json(encoding: Encoding) -> Encoding:
    """Return an encoding as JSON has it: UTF-8 without a byte order mark (RFC 8259, section 8.1)."""
    return replace(encoding, marked=encoding.marked and encoding.name != UTF_8.name)
