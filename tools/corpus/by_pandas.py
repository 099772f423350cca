"""Files that pandas writes: CSV, JSON, Parquet, Feather, Excel."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import pandas as pd

from tools.corpus.tables import tables

FRAMES = {name: pd.DataFrame(rows, columns=columns) for name, (columns, rows) in tables().items()}
LATIN = ("plain", "typed", "gaps")  # tables that cp1252 can hold


def write(folder: Path) -> None:
    """Write all files."""
    for name, frame in FRAMES.items():
        _csv(folder, name, frame)
        _json(folder, name, frame)
        _columnar(folder, name, frame)
        for index in (False, True):
            frame.to_excel(folder / f"{name}_{'index' if index else 'plain'}.xlsx", index=index)


def _csv(folder: Path, name: str, frame: pd.DataFrame) -> None:
    delimiters = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
    for kind, delimiter in delimiters.items():
        frame.to_csv(folder / f"{name}_{kind}.csv", sep=delimiter, index=False)
    frame.to_csv(folder / f"{name}_all_quoted.csv", index=False, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    frame.to_csv(folder / f"{name}_with_index.csv")
    frame.to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    for encoding in ("utf-8-sig", "utf-16", *(["cp1252"] if name in LATIN else [])):
        frame.to_csv(folder / f"{name}_{encoding}.csv", index=False, encoding=encoding)
    for ending in ("gz", "bz2", "zst"):
        if ending != "zst":
            frame.to_csv(folder / f"{name}.csv.{ending}", index=False)


def _json(folder: Path, name: str, frame: pd.DataFrame) -> None:
    for lines, ascii_only in product((True, False), (True, False)):
        kind = f"{'lines' if lines else 'array'}{'_ascii' if ascii_only else ''}"
        frame.to_json(
            folder / f"{name}_{kind}.{'jsonl' if lines else 'json'}",
            orient="records",
            lines=lines,
            force_ascii=ascii_only,
            date_format="iso",
        )
    frame.to_json(folder / f"{name}_indented.json", orient="records", indent=2)


def _columnar(folder: Path, name: str, frame: pd.DataFrame) -> None:
    for compression in ("snappy", "gzip", "zstd", None):
        frame.to_parquet(folder / f"{name}_{compression or 'plain'}.parquet", compression=compression)
    known = frame.assign(day=pd.to_datetime(frame["day"])) if "day" in frame else frame  # it has no type for dates
    known.to_parquet(folder / f"{name}_fastparquet.parquet", engine="fastparquet", index=False)
    frame.astype(str).astype("category").to_parquet(folder / f"{name}_categories.parquet")
    for compression in ("lz4", "zstd", "uncompressed"):
        frame.to_feather(folder / f"{name}_{compression}.feather", compression=compression)
