"""Convert Arrow columns to cells that prompts can show and JSON can represent.

Numbers stay numbers. Decimals become their exact text, times ISO 8601, bytes base64, lists and structs arrays and
objects. NaN and Infinity, which JSON lacks, become these words. The exact values are in the sidecar.
"""

from __future__ import annotations

import base64
import math
import uuid
from collections.abc import Callable
from typing import Any

from batchdrop.adapters.formats.parquet import iso_text

Reader = Callable[[Any], list[Any]]
"""Converts an Arrow array to its cells, one per row."""


def reader_of(kind: Any) -> Reader:
    """Return the reader of an Arrow type. It raises ValueError for a value that cannot be a cell (text not UTF-8)."""
    import pyarrow.types as is_type

    for applies, build in _READERS:
        if getattr(is_type, applies)(kind):
            return build(kind)
    if hasattr(kind, "storage_type"):
        return _extension(kind)
    return _other(kind)


def _plain(_kind: Any) -> Reader:
    return lambda array: list(array.to_pylist())


def _other(_kind: Any) -> Reader:
    return lambda array: [None if value is None else str(value) for value in array.to_pylist()]


def _floats(kind: Any) -> Reader:
    import pyarrow as pa

    if kind == pa.float64():
        return lambda array: [_finite(value) for value in array.to_pylist()]
    # Through text: a 32-bit 0.1 means 0.1 to people, but converts to 0.10000000149011612 in Python.
    return lambda array: [
        None if text is None else _finite(float(text))
        for text in array.cast(pa.float32()).cast(pa.string()).to_pylist()
    ]


def _finite(value: float | None) -> float | str | None:
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _decimals(_kind: Any) -> Reader:
    return lambda array: [None if value is None else format(value, "f") for value in array.to_pylist()]


def _bytes(_kind: Any) -> Reader:
    return lambda array: [None if value is None else base64.b64encode(value).decode() for value in array.to_pylist()]


def _dates(kind: Any) -> Reader:
    ticks_a_day = 1 if kind.bit_width == 32 else 86_400_000  # noqa: PLR2004 - date32 counts days, date64 milliseconds
    return _counted(kind, lambda ticks: iso_text.date_text(ticks // ticks_a_day))


def _times(kind: Any) -> Reader:
    return _counted(kind, lambda ticks: iso_text.time_text(ticks, kind.unit))


def _timestamps(kind: Any) -> Reader:
    zone = iso_text.zone_of(kind.tz) if kind.tz else None
    return _counted(kind, lambda ticks: iso_text.timestamp_text(ticks, kind.unit, zone))


def _durations(kind: Any) -> Reader:
    return _counted(kind, lambda ticks: iso_text.duration_text(ticks, kind.unit))


def _counted(kind: Any, text: Callable[[int], str]) -> Reader:
    """Return the reader of a tick count; Arrow's own conversion needs pandas for nanoseconds."""
    import pyarrow as pa

    ticks = pa.int32() if kind.bit_width == 32 else pa.int64()  # noqa: PLR2004 - bits
    return lambda array: [None if count is None else text(count) for count in array.view(ticks).to_pylist()]


def _dictionaries(kind: Any) -> Reader:
    read = reader_of(kind.value_type)

    def cells(array: Any) -> list[Any]:
        values = read(array.dictionary)
        return [None if index is None else values[index] for index in array.indices.to_pylist()]

    return cells


def _runs(kind: Any) -> Reader:
    read = reader_of(kind.value_type)

    def cells(array: Any) -> list[Any]:
        first, values = array.find_physical_offset(), read(array.values)
        cells: list[Any] = []
        for value, end in zip(values[first:], array.run_ends.to_pylist()[first:], strict=True):
            length = min(end - array.offset, len(array)) - len(cells)
            cells += [value] * length
            if len(cells) == len(array):
                break
        return cells

    return cells


def _lists(kind: Any) -> Reader:
    import pyarrow.compute as pc

    read = reader_of(kind.value_type)

    def cells(array: Any) -> list[Any]:
        return _cut(read(array.flatten()), pc.list_value_length(array).to_pylist())

    return cells


def _maps(kind: Any) -> Reader:
    read_keys, read_items = reader_of(kind.key_type), reader_of(kind.item_type)

    def cells(array: Any) -> list[Any]:
        offsets, valid = array.offsets.to_pylist(), array.is_valid().to_pylist()
        first, length = offsets[0], offsets[-1] - offsets[0]
        keys = read_keys(array.keys.slice(first, length))
        pairs = list(zip(keys, read_items(array.items.slice(first, length)), strict=True))
        return [
            _mapping(pairs[start - first : end - first]) if is_map else None
            for is_map, start, end in zip(valid, offsets, offsets[1:], strict=False)
        ]

    return cells


def _structs(kind: Any) -> Reader:
    names = [field.name for field in kind]
    readers = [reader_of(field.type) for field in kind]

    def cells(array: Any) -> list[Any]:
        children = [read(child) for read, child in zip(readers, array.flatten(), strict=True)]
        rows = zip(*children, strict=True) if children else ((),) * len(array)
        valid = array.is_valid().to_pylist()
        return [
            dict(zip(names, row, strict=True)) if is_struct else None
            for is_struct, row in zip(valid, rows, strict=True)
        ]

    return cells


def _extension(kind: Any) -> Reader:
    read = reader_of(kind.storage_type)
    if kind.extension_name == "arrow.uuid":
        return lambda array: [
            None if value is None else str(uuid.UUID(bytes=value)) for value in array.storage.to_pylist()
        ]
    return lambda array: read(array.storage)


def _cut(values: list[Any], lengths: list[int | None]) -> list[Any]:
    lists: list[Any] = []
    start = 0
    for length in lengths:
        lists.append(None if length is None else values[start : start + length])
        start += length or 0
    return lists


def _mapping(pairs: list[tuple[Any, Any]]) -> Any:
    """Return a map as an object; as pairs if a key is not text, or occurs twice."""
    mapping = {key: value for key, value in pairs if isinstance(key, str)}
    return mapping if len(mapping) == len(pairs) else [list(pair) for pair in pairs]


_READERS: tuple[tuple[str, Callable[[Any], Reader]], ...] = (
    ("is_null", _plain),
    ("is_boolean", _plain),
    ("is_integer", _plain),
    ("is_string", _plain),
    ("is_large_string", _plain),
    ("is_string_view", _plain),
    ("is_floating", _floats),
    ("is_decimal", _decimals),
    ("is_binary", _bytes),
    ("is_large_binary", _bytes),
    ("is_binary_view", _bytes),
    ("is_fixed_size_binary", _bytes),
    ("is_date", _dates),
    ("is_time", _times),
    ("is_timestamp", _timestamps),
    ("is_duration", _durations),
    ("is_dictionary", _dictionaries),
    ("is_run_end_encoded", _runs),
    ("is_map", _maps),
    ("is_list", _lists),
    ("is_large_list", _lists),
    ("is_fixed_size_list", _lists),
    ("is_list_view", _lists),
    ("is_large_list_view", _lists),
    ("is_struct", _structs),
)
"""Predicates of `pyarrow.types` by name, so that pyarrow is imported when the first file needs it."""
