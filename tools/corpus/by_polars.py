"""Files that polars writes: CSV, JSON, Parquet, Arrow, Excel."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tools.corpus.tables import tables


def write(folder: Path) -> None:
    """Write all files."""
    for name, (columns, rows) in tables().items():
        frame = pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)
        frame.write_csv(folder / f"{name}.csv")
        frame.write_csv(folder / f"{name}_semicolon.csv", separator=";", quote_style="non_numeric")
        frame.write_csv(folder / f"{name}_bom.csv", include_bom=True, quote_style="always", line_terminator="\r\n")
        frame.write_csv(folder / f"{name}_nulls.csv", null_value="NA")
        frame.write_ndjson(folder / f"{name}.jsonl")
        frame.write_json(folder / f"{name}.json")
        for compression in ("zstd", "snappy", "lz4", "gzip", "uncompressed"):
            frame.write_parquet(folder / f"{name}_{compression}.parquet", compression=compression)
        frame.write_parquet(folder / f"{name}_groups.parquet", row_group_size=3)
        for ipc in ("uncompressed", "lz4", "zstd"):
            frame.write_ipc(folder / f"{name}_{ipc}.arrow", compression=ipc)
            frame.write_ipc_stream(folder / f"{name}_{ipc}.arrows", compression=ipc)
        frame.write_excel(folder / f"{name}.xlsx")
