"""Find a text file's format in its first bytes, where names do not tell: .json, .jsonl and .txt."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Generator
from contextlib import closing
from typing import Literal

from batchdrop.adapters.formats.around_input import AroundInput
from batchdrop.adapters.formats.csv.dialect import TAB
from batchdrop.adapters.formats.json.json_shape import holds_requests
from batchdrop.adapters.formats.text.encodings import BOM, detected
from batchdrop.adapters.formats.text.text_input import COLUMN
from batchdrop.job.ports import InputFormat
from batchdrop.ports import Source
from batchdrop.recipe.recipe import FormatName
from batchdrop.requests.row import Cursor, Row

FOUND_IN = {"json", "jsonl", "txt"}
LOOKED_AT = 1 << 16  # bytes
_LINE_END = re.compile(r"[\r\n]+")
_MARK = "\n"  # between the found format's name and its header; JSON headers have none


class FoundInput(AroundInput):
    """Reads a file by the format that its first bytes show. `header` begins with the name of what was found."""

    def __init__(
        self,
        named: FormatName,
        reader: Callable[[FormatName, str], InputFormat],
        header: str,
        *,
        filename: str,
        encoding: str | None,
        wanted: Collection[str],
    ) -> None:
        self._named = named
        self._reader = reader
        self._filename = filename
        self._encoding = encoding
        self._wanted = wanted
        found, mark, inner = header.partition(_MARK)
        self._is_found = bool(header)
        self.inner = reader(found, inner) if mark else reader(named, header)  # type: ignore[arg-type] # as it was written

    @property
    def header(self) -> str:
        """Return what a later reading needs to know about the file's start."""
        return f"{self.name}{_MARK}{self.inner.header}"

    def row_blocks(self, source: Source, start: Cursor) -> Generator[list[Row], None, None]:
        """Read the rows that follow `start`."""
        if not self._is_found:
            self.inner = self._reader(self._found(source), "")
            self._is_found = True
        return self.inner.row_blocks(source, start)

    def _found(self, source: Source) -> FormatName:
        start = b""
        with closing(source.blocks()) as blocks:
            for block in blocks:
                start += block
                if len(start) >= LOOKED_AT:
                    break
        encoding = detected(start, self._encoding, filename=self._filename)
        text = start[:LOOKED_AT].decode(encoding.name, "replace").removeprefix(BOM)
        lines = [line for line in _LINE_END.split(text) if line.strip()]
        if self._named == "txt":
            return "tsv" if _is_table(lines, self._wanted) else "txt"
        if holds_requests(text.encode(errors="replace")):
            return "json"
        return _json_found(lines, self._named)


def _is_table(lines: list[str], wanted: Collection[str]) -> bool:
    """Return whether lines are a table, as Excel saves it in a .txt file. A recipe may still want plain lines."""
    header = lines[0].split(TAB) if lines else []
    wants_lines = set(wanted) == {COLUMN} and COLUMN not in header
    if len(header) < 2 or len(lines) < 2 or wants_lines:  # noqa: PLR2004 - a table has rows and columns
        return False
    rows = lines[1:-1] or lines[1:]
    return all(line.count(TAB) == len(header) - 1 for line in rows)


def _json_found(lines: list[str], named: FormatName) -> Literal["json", "jsonl"]:
    """Return jsonl for a value on each line, json for an array, an object, or values over several lines."""
    first, *others = [line.strip() for line in lines[:2]] or [""]
    if not first.startswith(("{", "[")):
        return "json" if named == "json" else "jsonl"
    if _is_value(first):
        if not others:
            return "json" if first.startswith("[") or named == "json" else "jsonl"
        return "jsonl" if named == "jsonl" or others[0].startswith("{") else "json"
    is_spread = bool(others) and not others[0].startswith(first[0])
    return "json" if named == "json" or is_spread else "jsonl"


def _is_value(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
