"""Files that DuckDB's COPY writes: CSV, JSON, Parquet."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

from tools.corpus.tables import tables

OPTIONS = {
    "{name}.csv": "format csv",
    "{name}_pipe.csv": "format csv, delimiter '|'",
    "{name}_quoted.csv": "format csv, force_quote *, nullstr 'NULL'",
    "{name}_headless.csv": "format csv, header false",
    "{name}.csv.gz": "format csv, compression gzip",
    "{name}.csv.zst": "format csv, compression zstd",
    "{name}.jsonl": "format json",
    "{name}.json": "format json, array true",
    "{name}.parquet": "format parquet",
    "{name}_v2.parquet": "format parquet, parquet_version v2, compression zstd",
    "{name}_brotli.parquet": "format parquet, compression brotli",
}


def write(folder: Path) -> None:
    """Write all files."""
    for name, (columns, rows) in tables().items():
        frame = pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None).to_arrow()
        with duckdb.connect() as connection:
            connection.register("frame", frame)
            for file, options in OPTIONS.items():
                connection.execute(f"copy frame to '{folder / file.format(name=name)}' ({options})")
    types = folder / "types.parquet"
    duckdb.sql(
        "copy (select 1::tinyint as tiny, 2::hugeint as huge, 1.5::decimal(18, 3) as price, date '2026-10-21' as day, "
        "time '05:06:07' as clock, timestamptz '2026-10-21 05:06:07+00' as at, interval 3 days as took, uuid() as key, "
        "[1, 2] as list, {'x': 1, 'y': 'z'} as struct, map {'k': 1} as pairs, 'a'::blob as bytes, 'b' as text) "
        f"to '{types}' (format parquet)"
    )
