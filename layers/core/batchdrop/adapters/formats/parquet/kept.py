"""The footer of a Parquet upload: its key-values and types, as far as the output can have them too."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import msgspec

from batchdrop.answers.columns import Column

UTC_TIMES = ":utc"  # at the end of a header
_TIME, _UTC_TIME = "TIME", "TIME WITH TIME ZONE"
_ARROW = b"ARROW:schema"  # written again for the output's schema
_SPARK = b"org.apache.spark.sql.parquet.row.metadata"  # Spark reads the columns that this names, and no others
_SPARK_TYPES = {"string": "string", "json": "string", "number": "double", "integer": "long", "boolean": "boolean"}


def with_footer(schema: Any, footer: dict[bytes, bytes] | None) -> Any:
    """Return an Arrow schema with all key-values of the file's footer."""
    others = {key: value for key, value in (footer or {}).items() if key != _ARROW}
    return schema.with_metadata({**(schema.metadata or {}), **others} or None)


def with_new_columns(metadata: dict[bytes, bytes] | None, new: Iterable[Column]) -> dict[bytes, bytes] | None:
    """Return key-values in which Spark's own list of columns has the new ones too."""
    if not metadata or _SPARK not in metadata:
        return metadata
    try:
        listed = msgspec.json.decode(metadata[_SPARK], type=dict[str, Any])
        fields = [*listed["fields"], *map(_spark_field, new)]
    except (msgspec.DecodeError, KeyError, TypeError):
        return {key: value for key, value in metadata.items() if key != _SPARK}
    return {**metadata, _SPARK: msgspec.json.encode({**listed, "fields": fields})}


def _spark_field(column: Column) -> dict[str, Any]:
    return {"name": column.name, "type": _SPARK_TYPES[column.kind], "nullable": True, "metadata": {}}


def has_utc_times(file: Any) -> bool:
    """Return whether all times of day of a file have a zone: a writer knows one answer for all its columns."""
    times = [kind for kind in _types(file.metadata.schema).values() if kind in {_TIME, _UTC_TIME}]
    return bool(times) and set(times) == {_UTC_TIME}


def changed_types(file: Any, schema: Any, *, utc_times: bool = False) -> list[str]:
    """Return a note for each column whose type the output's file cannot name as the upload does."""
    import pyarrow.parquet as pq

    written = io.BytesIO()
    pq.ParquetWriter(written, schema, write_time_adjusted_to_utc=utc_times).close()
    after = _types(pq.read_metadata(written).schema)
    before = _types(file.metadata.schema)
    return [
        f"column '{path}' has the Parquet type {kind}; the output has its values as {after[path]}"
        for path, kind in before.items()
        if path in after and after[path] != kind
    ]


def _types(schema: Any) -> dict[str, str]:
    """Return each leaf's type by its path, without units, which are kept as they are read."""
    return {schema.column(at).path: _type(schema.column(at)) for at in range(len(schema))}


def _type(column: Any) -> str:
    logical = str(column.logical_type)
    name = logical.partition("(")[0].upper()
    is_plain = name == "INT" and "bitWidth=" + column.physical_type.removeprefix("INT") in logical
    if name in {"NONE", "NULL", "UNKNOWN"} or (is_plain and "isSigned=true" in logical):
        return str(column.physical_type)
    return _UTC_TIME if name == _TIME and "isAdjustedToUTC=true" in logical else name
