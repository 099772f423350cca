"""What text outputs share: parts that can be concatenated, in an encoding."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from batchdrop.adapters.formats.text.encodings import UTF_8, Encoding
from batchdrop.job.ports import Assemble, Frame, InputFormat, OutputFormat


class Framed(OutputFormat, Protocol):
    """An output that is its concatenated parts."""

    @property
    def whole(self) -> Frame:
        """Return what goes around the parts."""


class Assembled(OutputFormat, Protocol):
    """An output that is written again from its parts."""

    @property
    def whole(self) -> Assemble:
        """Return a function that writes it."""


def encoding_of(reader: InputFormat) -> Encoding:
    """Return the encoding of a text file; UTF-8 for other formats."""
    found = getattr(reader, "encoding", UTF_8)
    assert isinstance(found, Encoding)
    return found


def for_json(encoding: Encoding) -> Encoding:
    """Return an encoding for JSON: UTF-8 without a byte order mark (RFC 8259, section 8.1)."""
    return replace(encoding, marked=encoding.marked and encoding.name != UTF_8.name)
