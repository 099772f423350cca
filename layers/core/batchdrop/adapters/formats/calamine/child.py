"""Read a workbook with calamine, in a process of its own, and write its cells as JSON lines.

calamine holds a whole sheet in memory, whatever the file declares. This process has limits, so a hostile file ends it
and not the job. It writes the sheets, reads the number of one from its input, and writes that sheet's width, its rows
and `END`.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal

import msgspec

MAX_MEMORY = 1_000_000_000  # bytes; ours: a Lambda that reads files has 1,769 MB, and the job takes a quarter of it
MAX_SECONDS = 300  # of CPU; ours: a third of a Lambda's time
END = b"[0,{}]\n"

Problem = Literal["locked", "broken", "large"]

_DATE, _TIME, _DATETIME, _ELAPSED = 14, 21, 22, 46  # Excel's own number formats
_DAY = dt.timedelta(days=1)
_EPOCH = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - a workbook knows no zones
_FALSE_LEAP_DAY = 61  # Excel's 1900 has a 29 February, so earlier days count one less
_EXACT_DIGITS = 10**15


class Sheets(msgspec.Struct):
    """The first line: the workbook's sheets, or why it cannot be read."""

    names: list[str] = []
    hidden: list[str] = []
    problem: Problem | None = None
    reason: str = ""


def main(path: str) -> None:
    """Read the workbook at `path`."""
    _limit()
    import python_calamine as calamine

    out, encoder = sys.stdout.buffer, msgspec.json.Encoder()
    try:
        book = calamine.CalamineWorkbook.from_path(path)
        visible = calamine.SheetVisibleEnum.Visible
        hidden = [sheet.name for sheet in book.sheets_metadata if sheet.visible != visible]
        out.write(encoder.encode(Sheets(book.sheet_names, hidden)) + b"\n")
        out.flush()
        chosen = sys.stdin.readline()
        if chosen:
            sheet = book.get_sheet_by_index(int(chosen))
            out.write(encoder.encode(sheet.end[1] + 1 if sheet.end else 0) + b"\n")
            for row in _rows(sheet):
                out.write(encoder.encode(row) + b"\n")
            out.write(END)
    except calamine.PasswordError:
        out.write(encoder.encode(Sheets(problem="locked")) + b"\n")
    except MemoryError:
        out.write(encoder.encode(Sheets(problem="large")) + b"\n")
    except (calamine.CalamineError, OSError, ValueError, OverflowError) as error:
        out.write(encoder.encode(Sheets(problem="broken", reason=str(error))) + b"\n")
    out.flush()


def _limit() -> None:
    import resource  # Unix only; the names above are imported everywhere

    for limit, most in ((resource.RLIMIT_AS, MAX_MEMORY), (resource.RLIMIT_CPU, MAX_SECONDS)):
        with suppress(ValueError, OSError):  # some systems have no such limit, or a lower one
            resource.setrlimit(limit, (most, most))


def _rows(sheet: Any) -> Iterator[tuple[int, dict[int, Any]]]:
    """Yield the rows with a value: the row's number, and its cells by column from 0."""
    first = sheet.start[1] if sheet.start else 0
    for number, values in enumerate(sheet.iter_rows(), start=1):
        cells = {column: _cell(value) for column, value in enumerate(values, first) if value != ""}
        if cells:
            yield number, cells


def _cell(value: Any) -> Any:
    """Return a value as `xlsx/cells.py` stores it."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _EXACT_DIGITS else value
    if isinstance(value, dt.datetime):
        return {"v": _serial(value), "f": _DATETIME}
    if isinstance(value, dt.date):
        return {"v": round(_serial(dt.datetime(value.year, value.month, value.day))), "f": _DATE}  # noqa: DTZ001 - likewise
    if isinstance(value, dt.time):
        since = dt.timedelta(hours=value.hour, minutes=value.minute, seconds=value.second)
        return {"v": (since + dt.timedelta(microseconds=value.microsecond)) / _DAY, "f": _TIME}
    return {"v": value / _DAY, "f": _ELAPSED} if isinstance(value, dt.timedelta) else value


def _serial(moment: dt.datetime) -> float:
    serial = (moment - _EPOCH) / _DAY
    return serial if serial >= _FALSE_LEAP_DAY else serial - 1


if __name__ == "__main__":
    main(sys.argv[1])
