"""xls, xlsb and ods: read by calamine in a process of its own, and given back as xlsx."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from batchdrop.adapters.formats.calamine import books, child
from batchdrop.errors import UploadRejected
from batchdrop.recipe.recipe import Input
from batchdrop.requests.row import Cursor
from tests.formats.reading import Bytes, join, read, read_from, reader_of, rows_in
from tests.formats.sheets import saved, zipped
from tests.formats.xlsb import xlsb_file
from tests.jobs import dropped
from tests.project import ROOT

OFFICE = ROOT / "tests/files/office"
ORDERS = Input(skip=3)


def _body(kind: str) -> bytes:
    return Path(OFFICE / f"orders.{kind}").read_bytes()


def _values(output: bytes) -> list[list[object]]:
    sheet = openpyxl.load_workbook(io.BytesIO(output)).worksheets[0]
    return [list(row) for row in sheet.iter_rows(values_only=True)]


@pytest.mark.parametrize("kind", ["xls", "ods"])
def test_prompts_get_typed_values(kind: str) -> None:
    """Dates, times and booleans as in xlsx, of the first visible sheet; texts keep their zeros."""
    first, second, last = read(kind, _body(kind), options=ORDERS)
    assert first.where == "sheet 'Orders 2026' row 5"
    assert [first.cells[name] for name in ("day", "at", "clock", "code")] == [
        "2026-10-21",
        "2026-10-21T05:06:07",
        "04:05:06",
        "007",
    ]
    assert (first.cells["share"], str(first.cells["total"])) == (0.125, "0.25")
    assert second.cells["code"] == "最高 – ü"
    assert second.cells["total"] is None  # an error: calamine has no word for it
    assert (last.where, last.cells["code"], last.cells["day"]) == ("sheet 'Orders 2026' row 7", "last", None)


def test_xls_has_booleans_and_elapsed_time() -> None:
    """As in xlsx."""
    first, second, _ = read("xls", _body("xls"), options=ORDERS)
    assert [first.cells[name] for name in ("paid", "took")] == [True, "P1DT6H5S"]
    assert [second.cells[name] for name in ("paid", "took", "day")] == [False, "PT3M", "1900-02-28"]


def test_xlsb_is_read() -> None:
    """Whole numbers are whole; a row's number is the sheet's."""
    rows = read("xlsb", xlsb_file([["nr", "text", "good"], [1, "late – 最高", True], [], [2.5, "early", False]]))
    assert [row.cells for row in rows] == [
        {"nr": 1, "text": "late – 最高", "good": True},
        {"nr": 2.5, "text": "early", "good": False},
    ]
    assert rows[1].where == "sheet 'Sheet' row 4"


@pytest.mark.parametrize("kind", ["xls", "ods"])
def test_the_output_is_an_xlsx_with_the_sheet(kind: str) -> None:
    """Dates stay dates, and values beside the table stay."""
    header, first, second, _ = _values(join(kind, _body(kind), options=ORDERS))
    assert header[:3] == [None, "day", "at"]
    assert header[-3:] == ["answer", "_status", "_error"]
    assert first[1:4] == [dt.datetime(2026, 10, 21), dt.datetime(2026, 10, 21, 5, 6, 7), dt.time(4, 5, 6)]  # noqa: DTZ001 - a workbook knows no zones
    assert second[10:12] == ["beside", "#2"]


def test_a_job_of_an_xls() -> None:
    """Through split, answers and close: the output is not the upload extended."""
    recipe = "model: claude-haiku-5-5\nprompt: '{{ text }}'\n"
    body = (OFFICE / "libreoffice.xls").read_bytes()
    world = dropped(body, key="inbox/r/old.xls", recipe=recipe, rows=1)
    assert world.run().tally.answered == 2
    [output] = [body for key, body in world.store.under("results/").items() if key.endswith("/output.xlsx")]
    assert [row[1] for row in _values(output)] == ["text", "Great!", "a, b"]


def test_reading_goes_on_after_any_row() -> None:
    """With the header that the manifest keeps; what will differ is said."""
    rows = read("xls", _body("xls"), options=ORDERS)
    reader = reader_of("f.xls", options=ORDERS)
    list(rows_in(reader, Bytes(_body("xls")), Cursor()))
    assert reader.notes[0] == "the output is an .xlsx with the sheet 'Orders 2026' alone, without its styles"
    assert read_from("f.xls", reader.header, _body("xls"), rows[1].start) == rows[1:]


def test_the_content_counts_not_the_name() -> None:
    """An xlsx under the name of an xls is read, and an xls under the name of an xlsx."""
    assert read("xls", saved([["nr"], [7]]))[0].cells == {"nr": 7}
    assert [row.cells["id"] for row in read("xlsx", (OFFICE / "libreoffice.xls").read_bytes())] == [1, 2]


def test_a_sheet_is_chosen_by_name() -> None:
    """Also a hidden one; an unknown name is refused with the known ones."""
    with pytest.raises(UploadRejected, match=r"^f\.ods: sheet 'x' does not exist \(sheets: Hidden, Orders 2026\)"):
        read("ods", _body("ods"), options=Input(sheet="x"))
    assert read("ods", _body("ods"), options=Input(sheet="hidden")) == []


MANIFEST = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
ENCRYPTED_ODS = zipped(
    {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "META-INF/manifest.xml": f'<manifest:manifest xmlns:manifest="{MANIFEST}">'
        '<manifest:file-entry manifest:full-path="content.xml"><manifest:encryption-data/>'
        "</manifest:file-entry></manifest:manifest>",
        "content.xml": b"\x01\x02\x03",
    }
)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (ENCRYPTED_ODS, "the workbook is locked with a password. Save it without one"),
        (_body("xls")[:3000], "the workbook is broken"),
        (_body("ods")[:3000], "the workbook is broken"),
        (zipped({"mimetype": "x", "content.xml": "<a"}), "the workbook is broken"),
        (xlsb_file([]), "the sheet 'Sheet' is empty"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "a web page or XML under a workbook's name"),
        (b"nr\ttext\n1\tlate\n", "this is text, not an Excel workbook. Drop it as .csv or .tsv"),
        (b"\x00\x01", "this is not an Excel workbook. Save it as an Excel workbook"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(body: bytes, told: str) -> None:
    """With the file's name and what to do."""
    with pytest.raises(UploadRejected, match=rf"^f\.xls: .*{told}"):
        read("xls", body)


def test_a_sheet_that_fills_the_memory_is_refused() -> None:
    """Two cells in opposite corners are 17 billion cells to calamine. The process that reads them ends, not the job."""
    corners: list[list[Any]] = [["nr", *[None] * 16_382, "far"], *[[] for _ in range(1_048_574)], [1]]
    with pytest.raises(UploadRejected, match="too large for its format"):
        read("xlsb", xlsb_file(corners))


def test_a_large_file_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells would not fit into the memory of the process that reads them."""
    monkeypatch.setattr(books, "MAX_BOOK_BYTES", 1_000)
    with pytest.raises(UploadRejected, match=r"^f\.xls: the workbook is too large for its format"):
        read("xls", _body("xls"))


def test_the_process_has_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads hostile files, so it knows nothing of the account, and it ends with the reader."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with books._child("/nowhere.xls") as process:
        environment = Path(f"/proc/{process.pid}/environ")
        assert not environment.exists() or b"secret" not in environment.read_bytes()
        process.kill()
    assert child.MAX_MEMORY < 1_769_000_000
