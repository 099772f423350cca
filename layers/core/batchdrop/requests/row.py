"""One input record, as read and as kept beside its shard."""

from typing import Any

import msgspec


class Cursor(msgspec.Struct, frozen=True, gc=False):  # one a row: a frozen dataclass takes five times as long to make
    """A place between two rows: where reading can go on. Offsets in bytes, counts from 0."""

    offset: int = 0
    rows: int = 0
    lines: int = 0


class Row(msgspec.Struct, frozen=True, gc=False):  # likewise; it is in no cycle
    """A row of the upload. `raw` is its text without the line end; `start` is the place before it.

    `cells` maps column to value; it is empty where `error` says why the row cannot be used. `content` holds content
    blocks that the file itself brings (a document, an image); `origin` is the format's own: where the row's exact
    values are, for `Sidecar`; `exact` the row's bytes where `raw`, encoded, would give others. `where` names the
    place for formats that have no lines: `sheet 'Q3' row 1841`.
    """

    raw: str
    start: Cursor
    cells: dict[str, Any] = {}
    error: str | None = None
    content: tuple[dict[str, Any], ...] = ()
    origin: Any = None
    exact: bytes | None = None
    where: str = ""

    @property
    def number(self) -> int:
        """Return the row's number as people count, from 1, header not counted."""
        return self.start.rows + 1

    @property
    def place(self) -> str:
        """Return where the row is: `where`, else `row 17 (line 23)`, lines counted from 1 with the header."""
        return self.where or f"row {self.number} (line {self.start.lines + 1})"


def raw_size(row: Row) -> int:
    """Return about how much memory a row takes, in bytes: by its text."""
    return len(row.raw)


class StoredRow(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A line of `shards/NNNNN.rows.jsonl`: `row` counts from 1. `error` is set on a reject: it has no request.

    `exact` holds the row's own bytes where writing `raw` in the file's encoding would give others. `same_as` is the
    index of the shard's row that asked the same request before: this one has none of its own, and gets that answer.
    """

    row: int
    raw: str
    error: str | None = None
    exact: bytes | None = None
    same_as: int | None = None
