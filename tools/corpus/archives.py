"""Archives of the others' files: one table, several with one header, and other files with them."""

from __future__ import annotations

import zipfile
from pathlib import Path

ENDINGS = ("csv", "jsonl", "parquet", "xlsx", "arrow")


def write(folder: Path) -> None:
    """Write all files."""
    others = folder.parent
    for ending in ENDINGS:
        names = [path for path in sorted((others / "polars").glob(f"*.{ending}")) if "plain" in path.name]
        _zipped(folder / f"one_{ending}.zip", [(names[0].name, names[0].read_bytes())])
        same = [(f"2026/{month}.{ending}", names[0].read_bytes()) for month in ("jan", "feb", "mar")]
        _zipped(folder / f"months_{ending}.zip", same)
        _zipped(folder / f"with_texts_{ending}.zip", [*same, ("README.txt", b"read me"), ("__MACOSX/._jan", b"\0\5")])


def _zipped(path: Path, files: list[tuple[str, bytes]]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
