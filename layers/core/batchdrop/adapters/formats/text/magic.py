"""Recognize other files under a text file's name."""

from __future__ import annotations

import re

from batchdrop.errors import UploadRejected

_COMPRESSED = {
    b"\x1f\x8b": ("gzip-compressed", "gz"),
    b"\x28\xb5\x2f\xfd": ("compressed with Zstandard", "zst"),
    b"BZh91AY&SY": ("compressed with bzip2", "bz2"),
}
_OTHERS = {
    b"PAR1": ("a Parquet file", "parquet"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("an Excel workbook (.xls)", "xls"),
    b"%PDF-": ("a PDF", "pdf"),
}
_MARKUP = re.compile(r"\s*<(!doctype html|html|\?xml)\b", re.IGNORECASE)
_JSON = re.compile(r'\s*(\[\s*)?\{\s*("|$)')
_ZIP = b"PK\x03\x04"


def refuse_other_files(start: bytes, filename: str) -> None:
    """Raise UploadRejected for the beginning of another file; the message has the name that it should have."""
    for mark, (what, extension) in _COMPRESSED.items():
        if start.startswith(mark):
            _refuse(filename, what, f"{filename}.{extension}")
    stem = filename.rpartition(".")[0] or filename
    for mark, (what, extension) in _OTHERS.items():
        if start.startswith(mark):
            _refuse(filename, what, f"{stem}.{extension}")
    if start.startswith(_ZIP):
        is_workbook = b"[Content_Types].xml" in start or b"xl/" in start
        what, extension = ("an Excel workbook", "xlsx") if is_workbook else ("a ZIP archive", "zip")
        _refuse(filename, what, f"{stem}.{extension}")


def refuse_other_texts(first_line: str, filename: str) -> None:
    """Raise UploadRejected for JSON or a web page under the name of a file with delimiters."""
    if found := _JSON.match(first_line):
        stem = filename.rpartition(".")[0] or filename
        _refuse(filename, "JSON", f"{stem}.{'json' if found[1] else 'jsonl'}")
    if _MARKUP.match(first_line):
        message = (
            f"{filename}: the file is a web page or XML, not a table; export the table as CSV or Excel and drop it"
        )
        raise UploadRejected(message)


def _refuse(filename: str, what: str, rather: str) -> None:
    message = f"{filename}: the file is {what}; drop it as {rather}"
    raise UploadRejected(message)
