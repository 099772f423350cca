"""A ZIP archive of one table is that table."""

from __future__ import annotations

import io
import zipfile

import openpyxl
import pytest

from batchdrop.errors import UploadRejected
from batchdrop.recipe.recipe import Output
from batchdrop.requests.row import Cursor
from tests.formats.reading import Bytes, join, read, reader_of, rows_in

TABLE = b"nr,text\n1,late\n2,early\n"


def _zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [("t__csv", TABLE), ("folder/t__CSV", TABLE), ("t__json", b'[{"nr":"1","text":"late"},{"nr":"2","text":"early"}]')],
)
def test_its_rows_are_the_tables(name: str, content: bytes) -> None:
    """Whatever its format; system files beside it do not count."""
    body = _zipped(**{"__MACOSX/x": b"", name: content})
    assert [row.cells["text"] for row in read("zip", body)] == ["late", "early"]


def test_the_output_is_the_table_with_answers() -> None:
    """Not an archive: nobody has to unpack it."""
    assert join("zip", _zipped(t__csv=TABLE)).splitlines()[1] == b"1,late,#1,answered,"
    assert join("zip", _zipped(t__csv=TABLE), output=Output(format="jsonl")).startswith(b'{"nr":"1"')


def test_reading_goes_on_within_it() -> None:
    """From any row, with the header that the manifest keeps; what was found is said."""
    body = _zipped(t__csv=TABLE)
    reader = reader_of("f.zip")
    rows = list(rows_in(reader, Bytes(body), Cursor()))
    assert list(rows_in(reader_of("f.zip", reader.header), Bytes(body), rows[1].start)) == rows[1:]
    assert reader.notes == ["the table is t.csv in the archive"]


def test_a_workbook_in_an_archive_is_read() -> None:
    """Formats that are read in any order are unpacked to the disk first."""
    book = openpyxl.Workbook()
    book.active.append(["nr"])
    book.active.append([7])
    out = io.BytesIO()
    book.save(out)
    assert read("zip", _zipped(t__xlsx=out.getvalue()))[0].cells == {"nr": 7}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (_zipped(), "the archive holds 0 files, and no table"),
        (b"nr\n1\n", "not a ZIP archive"),
        (_zipped(t__csv=b"x\n" + b"0\n" * 3_000_000), "like a ZIP bomb"),
        (_zipped(t__exe=b"x"), ".exe files are not supported"),
    ],
)
def test_other_archives_are_refused(body: bytes, told: str) -> None:
    """With what to do instead."""
    with pytest.raises(UploadRejected) as refused:
        read("zip", body)
    assert told in str(refused.value)
