"""Write the corpus: files that real programs make of the same tables. Run it in .tools/corpus, which has the programs.

.tools/corpus/bin/python -m tools.corpus.make FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from tools.corpus import (
    archives,
    by_duckdb,
    by_libreoffice,
    by_openpyxl,
    by_pandas,
    by_polars,
    by_xlsxwriter,
)
from tools.corpus.tables import tables

PROGRAMS: dict[str, Callable[[Path], None]] = {
    "pandas": by_pandas.write,
    "polars": by_polars.write,
    "duckdb": by_duckdb.write,
    "openpyxl": by_openpyxl.write,
    "xlsxwriter": by_xlsxwriter.write,
    "libreoffice": by_libreoffice.write,  # after the workbooks, which it converts
    "archives": archives.write,
}


def main(folder: Path) -> None:
    """Write all files, a folder for each program."""
    for name, write in PROGRAMS.items():
        own = folder / name
        own.mkdir(parents=True, exist_ok=True)
        write(own)
        print(f"{name:12} {sum(1 for _ in own.iterdir()):4} files")
    total = sum(1 for path in folder.rglob("*") if path.is_file())
    print(f"{'all':12} {total:4} files of {len(tables())} tables")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
