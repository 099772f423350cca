"""One input record: as it is read, and as it is stored beside its shard."""

from typing import Any, NoReturn

import msgspec

from batchdrop.errors import RowRejected

EMPTY_ROW = "the row is empty"  # the error of a row of nothing but delimiters: it has no one's text


class Cursor(msgspec.Struct, frozen=True, gc=False):  # one per row: a frozen dataclass is five times as slow
    """A place between two rows where reading can continue. Offsets in bytes, counts from 0."""

    offset: int = 0
    rows: int = 0
    lines: int = 0


class Unusable:
    """A cell that no prompt can have. Using it rejects the row, with this reason; other rows and columns go on."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def _refuse(self, *_: object) -> NoReturn:
        raise RowRejected(self.reason)

    __str__ = __bool__ = __lt__ = __le__ = __gt__ = __ge__ = __int__ = __float__ = __iter__ = __len__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __getitem__ = _refuse


class Row(msgspec.Struct, frozen=True, gc=False):  # likewise; it is never part of a cycle
    """A row of the upload. `raw` is its text without the line end; `start` is the place before it.

    `cells` maps column to value; it is empty if `error` says why the row cannot be used. `content` holds content blocks
    of the file itself (a document, an image). `origin` belongs to the format: it locates the row's exact values for
    `Sidecar`. `exact` holds the row's bytes if encoding `raw` would give others. `where` names the place in formats
    without lines: `sheet 'Q3' row 1841`.
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
        """Return the row's number, counted from 1 without the header."""
        return self.start.rows + 1

    @property
    def place(self) -> str:
        """Return the row's place: `where`, or `row 17 (line 23)`. Lines count from 1 and include the header."""
        return self.where or f"row {self.number} (line {self.start.lines + 1})"


def raw_size(row: Row) -> int:
    """Return a row's approximate size in memory, in bytes."""
    return len(row.raw)


class StoredRow(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A line of `shards/NNNNN.rows.jsonl`; `row` counts from 1. A reject has `error` and no request.

    `is_skipped`: the recipe skips it. `exact` holds the row's bytes if encoding `raw` as the file would give others.
    `same_as` is the index of an earlier row of the shard with the same request: this row has no request, and gets that
    row's answer. With `same_shard`, it is an index in that earlier shard. `is_drawn`: it is this very row there, in
    the random sample.
    """

    row: int
    raw: str
    error: str | None = None
    exact: bytes | None = None
    same_as: int | None = None
    is_skipped: bool = False
    same_shard: int | None = None
    is_drawn: bool = False
