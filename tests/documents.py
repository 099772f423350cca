"""The real small files of tests/files/documents, and archives made of files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

FOLDER = Path(__file__).parent / "files" / "documents"


def document(name: str) -> bytes:
    """Return one of the files."""
    return (FOLDER / name).read_bytes()


def zipped(members: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a ZIP archive; a name that ends in a slash is a folder."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", packing) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return packed.getvalue()
