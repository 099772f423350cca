"""What a recipe says about a delimited file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """How to read a delimited file; what is None or empty is found in its first lines.

    `skip` counts lines before the header. `header` False: the file has none; a list: it has none, and these are the
    columns. `wanted` are the columns that the recipe uses, by which a header below other lines is found.
    """

    delimiter: str | None = None
    encoding: str | None = None
    skip: int | None = None
    header: Literal[False] | tuple[str, ...] | None = None
    escape: str = ""
    ragged: Literal["fill", "reject"] = "reject"
    wanted: frozenset[str] = frozenset()
