"""Tables as files, and outputs as tables: pandas, polars and pyarrow pass through Arrow's C interface."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.answers.columns import NewColumns
from batchdrop.cli.check.local_file import LocalFile
from batchdrop.job.upload import parse_inbox_key
from batchdrop.recipe.recipe import Input
from batchdrop.requests.row import Cursor

STREAM = "__arrow_c_stream__"  # Arrow's C interface; pandas, polars, pyarrow, duckdb and others have it
_ROW_GROUP = 131_072


def file_of(table: Any, folder: Path, *, name: str = "table") -> Path:
    """Return a table as a file: its path, or a new file in `folder`.

    A table is a path, anything with Arrow's C stream (then the file is Parquet), or mappings (then it is JSON Lines).
    Raises TypeError for everything else.
    """
    if isinstance(table, str | Path):
        return Path(table)
    if hasattr(table, STREAM):
        return _parquet(table, folder / f"{name}.parquet")
    if isinstance(table, Iterable):
        return _lines(table, folder / f"{name}.jsonl")
    message = (
        f"{type(table).__name__} cannot be read as a table; give a path, an object with {STREAM}, or a list of mappings"
    )
    raise TypeError(message)


def frame_of(output: Path, given: Any) -> Any:
    """Return an output as a table of the kind that was given: of pandas or polars, else of pyarrow.

    Neither is imported: who gives a table has it.
    """
    table = _arrow_table(output)
    kind = type(given).__module__.partition(".")[0]
    if kind == "pandas":
        return table.to_pandas()
    return sys.modules["polars"].from_arrow(table) if kind == "polars" else table


def rows_of(file: Path) -> list[dict[str, Any]]:
    """Return the rows of JSON Lines, such as `failed.jsonl`."""
    decode = msgspec.json.Decoder().decode
    return [decode(line) for line in file.read_bytes().splitlines() if line.strip()]


def _parquet(table: Any, path: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    batches = pa.RecordBatchReader.from_stream(table)
    with pq.ParquetWriter(path, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch, row_group_size=_ROW_GROUP)
    return path


def _lines(rows: Iterable[Mapping[str, Any]], path: Path) -> Path:
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        file.writelines(encode(row) + b"\n" for row in rows)
    return path


def _arrow_table(output: Path) -> Any:
    """Read any format of ours; texts of a CSV stay texts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if output.suffix == ".parquet":
        return pq.read_table(output)
    nothing_new = NewColumns(answer=(), status="", error="")
    reader = FileFormats().reader(parse_inbox_key(f"inbox/{output.name}"), Input(), nothing_new)
    with closing(reader.row_blocks(LocalFile(output), Cursor())) as blocks:
        rows = [row.cells for block in blocks for row in block]
    return pa.Table.from_pylist(rows)
