"""A sheet's cell as JSON, which keeps its type and number format.

Plain values are stored as they are: null, true, 5, 2.5, "text". Others are objects: `{"v": 45292, "f": 14}` is a value
with a number format, `{"e": "#N/A"}` an error, `{"d": "2026-10-21", "f": 14}` a date stored as text, `{"u": 1}` a
formula without a stored value.
"""

from __future__ import annotations

import math
from typing import Any

from batchdrop.adapters.formats.typed_values import text_of
from batchdrop.adapters.formats.xlsx.formats import NumberFormat, serial_text, time_kind
from batchdrop.answers.columns import ColumnKind

Cell = Any
"""The JSON values above."""

UNCOMPUTED: Cell = {"u": 1}

_EXACT_DIGITS = 10**15  # Excel keeps fifteen digits of a number


def typed(value: Any, number_format: NumberFormat, **other: Any) -> Cell:
    """Return a cell with its number format. The name in `other` is the cell's kind, if it is not plain."""
    marks = other or {"v": value}
    if number_format:
        return {**marks, "f": number_format}
    return marks if other else value


def natural(cell: Cell, *, epoch_1904: bool) -> Any:
    """Return a cell for a prompt: dates as ISO text, errors as their text, others unchanged."""
    if not isinstance(cell, dict):
        return cell
    if "v" not in cell:
        return cell.get("e", cell.get("d"))
    value = cell["v"]
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = serial_text(value, time_kind(cell.get("f", 0)), epoch_1904=epoch_1904)
        return value if text is None else text
    return value


def is_empty(cell: Cell) -> bool:
    """Return whether a cell shows nothing."""
    return cell is None or cell == "" or (isinstance(cell, dict) and cell.get("v", 0) == "")


def cell_of(value: Any, kind: ColumnKind) -> Cell:
    """Return a value as a cell: text columns hold only text, other columns the best fitting type.

    Numbers of more than fifteen digits become text, because a spreadsheet would round them; so do NaN and Infinity.
    """
    if value is None or isinstance(value, str):
        return None if value is None else text_of(value)
    if kind == "string" or kind == "json" or not isinstance(value, int | float):  # noqa: PLR1714 - reads as it is meant
        return text_of(value)
    if isinstance(value, bool) or abs(value) < _EXACT_DIGITS:  # NaN and Infinity are not less than it
        return value
    return _named(value) if isinstance(value, float) else text_of(value)


def _named(value: float) -> str:
    """Return a large number's text; NaN and Infinity have the same names as in other formats."""
    if math.isfinite(value):
        return str(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
