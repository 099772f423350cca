"""A workbook comes back whole: the sheet that was read has new columns, and all else is as it was."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import openpyxl
import pytest
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.table import Table

from batchdrop.adapters.formats.xlsx.input import XlsxInput
from batchdrop.adapters.formats.xlsx.long_texts import LONG_TEXTS
from batchdrop.adapters.formats.xlsx.output import XlsxOutput
from batchdrop.answers.columns import Column, NewColumns
from batchdrop.errors import InvariantBroken
from tests.formats.office import START, Bytes, Joined, Target, answer, part_of
from tests.formats.reading import rows_in

NEW = NewColumns(answer=(Column("label"), Column("sure", "number"), Column("good", "boolean")))
GOOD = True
ANSWERED = answer("=1+1", 0.5, GOOD)


def _book() -> Any:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Data"
    sheet.append(["nr", "text", "share"])
    sheet.append([1, "late", 0.125])
    sheet.append([2, "early", None])
    sheet.append([None, None, None])
    sheet.append([3, "=A2*2", 0.5])
    for cell in sheet[1]:
        cell.font, cell.fill = Font(bold=True, color="FF0000"), PatternFill("solid", fgColor="FFFF00")
    sheet["C2"].number_format = "0.0%"
    sheet["B2"].comment = Comment("look", "me")
    sheet["A2"].hyperlink = "https://example.com/"
    sheet.column_dimensions["B"].width = 40
    sheet.auto_filter.ref = "A1:C5"
    sheet.merge_cells("A8:B8")
    other = book.create_sheet("Other")
    other["A1"], other["B2"] = "kept", "=Data!A2"
    book.defined_names["rate"] = DefinedName("rate", attr_text="Other!$A$1")
    return book


def _saved(book: Any) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _whole(body: bytes, outcome_of: Joined = ANSWERED, new: NewColumns = NEW) -> bytes:
    """Return the output of an upload that is still there."""
    reader = XlsxInput("f.xlsx")
    rows = list(rows_in(reader, Bytes(body), START))
    writer = XlsxOutput(new, header=reader.header, changes_upload=True)
    target = Target()
    writer.whole([part_of(writer, rows[:1], outcome_of), part_of(writer, rows[1:], outcome_of)], target, Bytes(body))
    return bytes(target)


def _values(body: bytes, sheet: str = "Data") -> list[tuple[Any, ...]]:
    return list(openpyxl.load_workbook(io.BytesIO(body))[sheet].iter_rows(values_only=True))


def _parts(body: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_sheet_gets_the_new_columns_behind_its_own() -> None:
    """Each row its answers; formulas and empty rows stay; a text that looks like a formula is a text."""
    rows = _values(_whole(_saved(_book())))
    assert rows[0] == ("nr", "text", "share", "label", "sure", "good", "_status", "_error")
    assert rows[1][:7] == (1, "late", 0.125, "=1+1", 0.5, True, "answered")
    assert rows[3][:7] == (None,) * 7
    assert rows[4][:4] == (3, "=A2*2", 0.5, "=1+1")
    again = openpyxl.load_workbook(io.BytesIO(_whole(_saved(_book()))))
    assert again["Data"]["D2"].data_type == "s"
    assert again["Data"]["D2"].quotePrefix


def test_all_other_parts_are_the_same_bytes() -> None:
    """Comments, links, other sheets; only the sheet, the styles and the filter's name change."""
    body = _saved(_book())
    before, after = _parts(body), _parts(_whole(body))
    assert before.keys() == after.keys()
    changed = {name for name, content in before.items() if after[name] != content}
    assert changed <= {"xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/workbook.xml"}


def test_styles_widths_merges_and_names_are_kept() -> None:
    """The new header looks like the old one."""
    book = openpyxl.load_workbook(io.BytesIO(_whole(_saved(_book()))))
    sheet = book["Data"]
    assert sheet["D1"].font.color.rgb == sheet["C1"].font.color.rgb == "00FF0000"
    assert sheet["C2"].number_format == "0.0%"
    assert sheet["B2"].comment.text == "look"
    assert sheet["A2"].hyperlink.target == "https://example.com/"
    assert sheet.column_dimensions["B"].width == 40
    assert [str(merged) for merged in sheet.merged_cells.ranges] == ["A8:B8"]
    assert sheet.auto_filter.ref == "A1:H5"
    assert sheet.dimensions == "A1:H8"
    assert book["Other"]["B2"].value == "=Data!A2"
    assert book.defined_names["rate"].attr_text == "Other!$A$1"


def test_a_table_grows_with_the_sheet() -> None:
    """Its range, its filter and its list of columns, so that Excel opens the file without repairs."""
    book = _book()
    book["Data"].auto_filter.ref = None
    book["Data"].add_table(Table(displayName="T", ref="A1:C3"))
    [table] = openpyxl.load_workbook(io.BytesIO(_whole(_saved(book))))["Data"].tables.values()
    assert table.ref == table.autoFilter.ref == "A1:H3"
    assert [column.name for column in table.tableColumns][3:] == ["label", "sure", "good", "_status", "_error"]
    assert len({column.id for column in table.tableColumns}) == 8


def test_new_columns_begin_behind_notes_beside_the_table() -> None:
    """The notes stay. Empty formatted cells in the new columns are replaced."""
    book = _book()
    book["Data"]["E3"] = "my note"
    for column in "DFGH":
        book["Data"][f"{column}2"].fill = PatternFill("solid", fgColor="00FF00")
    body = _whole(_saved(book))
    rows = _values(body)
    assert rows[2][4:6] == ("my note", "=1+1")
    assert rows[0][3:6] == (None, None, "label")
    xml = _parts(body)["xl/worksheets/sheet1.xml"]
    assert len(re.findall(rb'r="F2"', xml)) == 1


def test_titles_over_the_header_stay() -> None:
    """The header is the first row with a value; a table further down has its row numbers."""
    book = openpyxl.Workbook()
    book.active.title = "Data"
    book.active["B3"], book.active["C3"], book.active["C4"] = "nr", "text", "late"
    rows = _values(_whole(_saved(book)))
    assert rows[2] == (None, "nr", "text", "label", "sure", "good", "_status", "_error")
    assert rows[3][2:4] == ("late", "=1+1")


def test_prefixed_tags_get_prefixed_cells() -> None:
    """Some programs write every tag with a namespace's prefix."""
    parts = _parts(_saved(_book()))
    path = "xl/worksheets/sheet1.xml"
    xml = re.sub(rb"<(/?)(\w)", rb"<\1x:\2", parts[path].replace(b"xmlns=", b"xmlns:x="))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in (parts | {path: xml}).items():
            archive.writestr(name, content)
    assert _values(_whole(out.getvalue()))[1][3:5] == ("=1+1", 0.5)


def test_long_texts_get_a_sheet_in_the_same_workbook() -> None:
    """They are cut in their cell, with a note in the row."""
    body = _whole(_saved(_book()), answer("x" * 40_000, 0.5, GOOD))
    rows = _values(body)
    assert rows[1][3].endswith(f"the whole text is on the sheet '{LONG_TEXTS}']")
    pieces = [row for row in _values(body, LONG_TEXTS)[1:] if row[1] == 2]
    assert "".join(row[4] for row in pieces) == "x" * 40_000
    assert openpyxl.load_workbook(io.BytesIO(body)).sheetnames == ["Data", "Other", LONG_TEXTS]


def test_macros_stay_and_never_run() -> None:
    """Their part is copied like any other."""
    parts = _parts(_saved(_book())) | {"xl/vbaProject.bin": b"macro"}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    assert _parts(_whole(out.getvalue()))["xl/vbaProject.bin"] == b"macro"


def test_excel_reads_the_archive_as_a_stream() -> None:
    """It does not read Zip64 members there, so none is one."""
    with zipfile.ZipFile(io.BytesIO(_whole(_saved(_book())))) as archive:
        assert all(member.extract_version < zipfile.ZIP64_VERSION for member in archive.infolist())


def test_another_sheets_filter_stays() -> None:
    """Also if its range ends in the same column."""
    book = _book()
    book["Other"].auto_filter.ref = "A1:C9"
    again = openpyxl.load_workbook(io.BytesIO(_whole(_saved(book))))
    assert (again["Data"].auto_filter.ref, again["Other"].auto_filter.ref) == ("A1:H5", "A1:C9")
    names = re.findall(rb"(\w+)'?!\$A\$1:\$(\w+)\$", _parts(_whole(_saved(book)))["xl/workbook.xml"])
    assert sorted(names) == [(b"Data", b"H"), (b"Other", b"C")]


def test_a_sheet_without_room_becomes_a_workbook_of_its_own() -> None:
    """A note in Excel's last column leaves no place for the answers."""
    book = _book()
    book["Data"]["XFD2"] = "far"
    body = _whole(_saved(book))
    assert openpyxl.load_workbook(io.BytesIO(body)).sheetnames == ["Data"]
    assert _values(body)[1][:4] == (1, "late", 0.125, "=1+1")


def test_an_answer_without_a_row_is_never_dropped() -> None:
    """A workbook that has fewer rows than the job raises, and leaves no end of an archive."""
    reader = XlsxInput("f.xlsx")
    rows = list(rows_in(reader, Bytes(_saved(_book())), START))
    writer = XlsxOutput(NEW, header=reader.header, changes_upload=True)
    shorter = _book()
    shorter["Data"].delete_rows(5)
    target = Target()
    with pytest.raises(InvariantBroken, match="fewer rows than answers"):
        writer.whole([part_of(writer, rows, ANSWERED)], target, Bytes(_saved(shorter)))
    assert not zipfile.is_zipfile(io.BytesIO(bytes(target)))
