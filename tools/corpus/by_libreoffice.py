"""Files that LibreOffice converts from the workbooks of the others: .ods, .xls, .xlsx, .csv."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

FORMATS = {
    "ods": "ods",
    "xls": "xls",
    "xlsx": "xlsx",
    "csv": "csv:Text - txt - csv (StarCalc):44,34,76,1",
    "tsv": "tsv:Text - txt - csv (StarCalc):9,34,76,1",
}


def write(folder: Path) -> None:
    """Write all files; nothing where LibreOffice is not installed."""
    office = shutil.which("soffice")
    if office is None:
        print("soffice is not installed, so there are no files of LibreOffice: apt-get install libreoffice-calc")
        return
    books = [str(path) for path in sorted((folder.parent / "openpyxl").glob("*.xlsx"))]
    with tempfile.TemporaryDirectory() as profile:
        for kind in FORMATS.values():
            convert = [office, f"-env:UserInstallation=file://{profile}", "--headless", "--convert-to", kind]
            subprocess.run([*convert, "--outdir", folder, *books], check=True, capture_output=True, timeout=600)
