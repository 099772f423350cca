"""xlsx: what prompts see of each cell, which rows are rows, and what the output's cells are."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from typing import Any

import openpyxl
import pytest

from batchdrop.adapters.formats.xlsx import workbook
from batchdrop.adapters.formats.xlsx.formats import serial_text, time_kind
from batchdrop.adapters.formats.xlsx.input import XlsxInput
from batchdrop.adapters.formats.xlsx.output import XlsxOutput
from batchdrop.answers.columns import Column, ColumnKind, NewColumns
from batchdrop.errors import RowRejected, UploadRejected
from batchdrop.requests.prompt import Prompt
from batchdrop.requests.row import Row
from tests.formats.office import START, Bytes, answer, assembled, part_of
from tests.formats.reading import rows_in
from tests.formats.sheets import MEMBERS, WORKBOOK, bytes_of, opened, raw_book, read, saved, values, xlsx_output

PLAIN = NewColumns()
HEADER = '<row r="1"><c r="A1" t="inlineStr"><is><t>x</t></is></c></row>'


def cell_of(cell: str, **parts: str) -> Any:
    """Return what a prompt sees of a cell that is given as XML."""
    [row] = read(raw_book(f'{HEADER}<row r="2">{cell}</row>', **parts))
    assert row.error is None
    return row.cells["x"]


@pytest.mark.parametrize(
    ("cell", "seen"),
    [
        ("<c><v>5</v></c>", 5),
        ("<c><v>5.0</v></c>", 5),
        ("<c><v>2.50</v></c>", 2.5),
        ("<c><v>-1E-7</v></c>", -1e-7),
        ("<c><v>123456789012345678</v></c>", 123456789012345678.0),
        ("<c><v>1e999</v></c>", "1e999"),
        ('<c t="b"><v>1</v></c>', True),
        ('<c t="e"><v>#N/A</v></c>', "#N/A"),
        ('<c t="str"><f>A1</f><v>done</v></c>', "done"),
        ("<c><f>1+1</f><v>2</v></c>", 2),
        ('<c t="d"><v>2026-10-21</v></c>', "2026-10-21"),
        ('<c t="s"><v>1</v></c>', "rich text"),
        ('<c t="s"><v>2</v></c>', "a\r_x000D_"),
        ('<c t="inlineStr"><is><r><t>in</t></r><r><t xml:space="preserve"> line</t></r></is></c>', "in line"),
    ],
)
def test_cells_are_natural_values(cell: str, seen: Any) -> None:
    """Numbers, booleans, errors and texts of all storages; what stands over a text for reading is not in it."""
    strings = (
        "<si><t>first</t></si><si><r><t>rich </t></r><r><rPr><b/></rPr><t>text</t></r><rPh><t>furigana</t></rPh></si>"
        "<si><t>a_x000D__x005F_x000D_</t></si>"
    )
    assert cell_of(cell, strings=strings) == seen


@pytest.mark.parametrize(
    ("number_format", "serial", "text"),
    [
        (14, 46316, "2026-10-21"),
        (14, 46316.5, "2026-10-21T12:00:00"),
        (22, 46316, "2026-10-21T00:00:00"),
        (14, 1, "1900-01-01"),
        (14, 61, "1900-03-01"),
        (21, 0.5, "12:00:00"),
        (21, 46316.75, "2026-10-21T18:00:00"),
        (46, 1.25, "P1DT6H"),
        ("yyyy-mm-dd hh:mm:ss.000", 46316.5000000116, "2026-10-21T12:00:00.001"),
        ('[$-409]d" of "mmmm', 46316, "2026-10-21"),
        ("mmm", 46316, "2026-10-21"),
        ("h:mm AM/PM", 0.25, "06:00:00"),
        ("[mm]:ss", -0.5, "-PT12H"),
        ("#,##0.00;[Red]-#,##0.00", 5, None),
        ('0.00" days"', 5, None),
        ("0.00E+00", 5, None),
        ("@", 5, None),
        (14, -1, None),
        (14, 3_000_000, None),
    ],
)
def test_numbers_with_a_time_format_are_iso_text(number_format: Any, serial: float, text: str | None) -> None:
    """What a spreadsheet shows as a date is one in the prompt; a number it cannot show stays a number."""
    assert serial_text(serial, time_kind(number_format), epoch_1904=False) == text


def test_the_1904_system_counts_from_elsewhere() -> None:
    """The same number is another date, in the prompt and in the output."""
    style = '<cellXfs><xf numFmtId="14"/></cellXfs>'
    body = raw_book(
        f'{HEADER}<row r="2"><c s="0"><v>44854</v></c></row>',
        styles=style,
        **{"xl/workbook.xml": WORKBOOK % ' date1904="1"'},
    )
    assert read(body)[0].cells == {"x": "2026-10-21"}
    assert values(xlsx_output(body, PLAIN, answer("a")))[1][0] == dt.datetime(2026, 10, 21)  # noqa: DTZ001 - a workbook knows no zones


def test_places_are_the_spreadsheets_own() -> None:
    """Empty rows are no rows, and count all the same."""
    rows = read(saved([["x"], [], [1], [None], [""], [2]], title="Q3"))
    assert [(row.number, row.place) for row in rows] == [(1, "sheet 'Q3' row 3"), (2, "sheet 'Q3' row 6")]


def test_a_formula_without_a_value_rejects_its_row_only_where_it_is_used() -> None:
    """Programs that compute nothing store none; the reason names the column and says what to do."""
    rows = read(saved([["x", "total"], [1, "=A2*2"], [2, 4]]))
    assert rows[0].error is None
    assert Prompt("{{ x }}", name="r").render(rows[0].cells) == "1"
    for template in (
        "{{ total }}",
        "{{ x }}{{ total | trim }}",
        "{{ row | json }}",
        "{% if total > 1 %}{{ x }}{% endif %}",
    ):
        with pytest.raises(RowRejected, match="column 'total': the formula has no stored value; open the file in a"):
            Prompt(template, name="r").render(rows[0].cells)
    assert rows[1].cells == {"x": 2, "total": 4}


def test_a_formula_whose_value_is_an_empty_text_is_empty() -> None:
    """It was computed."""
    [row] = read(raw_book(f'{HEADER}<row r="2"><c t="str"><f>""</f><v></v></c><c r="A2"><v>1</v></c></row>'))
    assert row.error is None


def test_a_value_beyond_the_header_does_no_harm() -> None:
    """Its column gets a number; the workbook comes back with it."""
    [row] = read(saved([["x"], [1, None, "stray"]]))
    assert row.cells == {"x": 1, "column_2": None, "column_3": "stray"}


def test_the_header_is_the_first_row_with_a_value() -> None:
    """Blank cells in it get a number; a date or number in it is its text; trailing formatted cells are none."""
    body = saved([[], [None, "b", None, 2026, "", None], [1, 2, 3, 4]])
    reader = XlsxInput("f.xlsx")
    [row] = rows_in(reader, Bytes(body), START)
    assert reader.columns == ["column_1", "b", "column_3", "2026"]
    assert row.cells == {"column_1": 1, "b": 2, "column_3": 3, "2026": 4}
    assert values(xlsx_output(body, PLAIN, answer("a")))[0] == [None, "b", None, "2026", "answer", "_status", "_error"]


def test_the_second_column_of_a_name_gets_a_number() -> None:
    """A prompt could not tell them apart otherwise."""
    assert read(saved([["x", " x"], [1, 2]]))[0].cells == {"x": 1, "x_2": 2}


def test_a_sheet_is_read_by_its_name() -> None:
    """In any case of letters; an unknown one lists those there are; by itself the first visible one is read."""
    book = openpyxl.Workbook()
    book.active.title = "hidden"
    book.active.sheet_state = "hidden"
    for title in ("Q3", "Q4"):
        book.create_sheet(title).append([title])
        book[title].append([title.lower()])
    book.active = 1
    body = bytes_of(book)
    assert read(body)[0].cells == {"Q3": "q3"}
    assert read(body, sheet="q4")[0].cells == {"Q4": "q4"}
    with pytest.raises(UploadRejected, match=r"sheet 'Q5' does not exist \(sheets: hidden, Q3, Q4\)"):
        read(body, sheet="Q5")
    with pytest.raises(UploadRejected, match=r"sheet .hidden. is empty.*input\.sheet"):
        read(body, sheet="hidden")


def test_formatted_empty_rows_are_no_rows() -> None:
    """A sheet formatted to its last row is read soon and has its two rows."""
    empty = "".join(f'<row r="{n}" s="1"><c s="1"/><c s="1"/></row>' for n in range(3, 100_001))
    assert len(read(raw_book(f'{HEADER}<row r="2"><c><v>1</v></c></row>{empty}<row r="1048576"><c s="1"/></row>'))) == 1


def test_merged_cells_have_one_value() -> None:
    """The others are empty, as in the file."""
    book = openpyxl.load_workbook(io.BytesIO(saved([["x", "y"], ["both", None], [1, 2]])))
    book.active.merge_cells("A2:B2")
    assert [row.cells for row in read(bytes_of(book))] == [{"x": "both", "y": None}, {"x": 1, "y": 2}]


def test_the_output_keeps_types_and_number_formats() -> None:
    """Own cells are what they were; new ones are typed; the header is bold and stays in view."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "S"
    when = dt.datetime(2026, 10, 21, 14, 5)  # noqa: DTZ001 - a workbook knows no zones
    sheet.append(["n", "when", "rate", "id", "ok", "err", "long", "t"])
    sheet.append([5, when, 0.25, "007", True, "#N/A", dt.timedelta(hours=30), dt.time(1, 2)])
    sheet["C2"].number_format = "0.0%"
    sheet["B2"].number_format = "dd.mm.yyyy"
    new = NewColumns(
        answer=(Column("label"), Column("score", "number"), Column("flag", "boolean"), Column("l", "json"))
    )
    out = opened(xlsx_output(bytes_of(book), new, answer("good", 0.5, *[False], ["a"])))["S"]
    own = [5, when, 0.25, "007", True, "#N/A", dt.timedelta(hours=30), dt.time(1, 2)]
    assert [cell.value for cell in out[2]] == [*own, "good", 0.5, False, '["a"]', "answered", None]
    assert [cell.number_format for cell in out[2]][1:3] == ["dd.mm.yyyy", "0.0%"]
    assert [cell.data_type for cell in out[2]][8:12] == ["s", "n", "b", "s"]
    assert out.freeze_panes == "A2"
    assert all(cell.font.b for cell in out[1])


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", '=HYPERLINK("http://x","y")', "\t=1"])
def test_text_is_never_a_formula(text: str) -> None:
    """Neither an answer nor the input's own; the mark keeps it a text when somebody edits the cell."""
    book = openpyxl.Workbook()
    book.active.title = "S"
    book.active.append(["x"])
    book.active.append([text])
    book.active["A2"].data_type = "s"
    for escapes in (True, False):
        out = opened(xlsx_output(bytes_of(book), PLAIN, answer(text), escape_formulas=escapes))["S"]
        for cell in (out["A2"], out["B2"]):
            assert (cell.value, cell.data_type, bool(cell.quotePrefix)) == (text, "s", escapes)


def test_characters_that_xml_cannot_hold_come_back() -> None:
    """They are written as Excel writes them, and are text again when the file is read."""
    text = "a\x00\x01\x1b\r\n\t\ufffe_x0041_ <&>\"' 😀  "
    out = xlsx_output(saved([["x"], [1]]), PLAIN, answer(text))
    assert read(out)[0].cells["answer"] == text
    assert values(out)[1][1].startswith("a_x0000__x0001__x001B__x000D_\n\t_xFFFE__x005F_x0041_ <&>")


@pytest.mark.parametrize("text", ["x" * 32_768, "😀" * 16_384, "y" * 100_000])
def test_a_long_text_is_cut_and_kept(text: str) -> None:
    """The cell shows where it is cut, the error column says so, and a sheet of its own holds the whole."""
    out = xlsx_output(saved([["x"], [1], [2]]), PLAIN, lambda row: answer(text if row.number == 2 else "a")(row))
    [first, second] = read(out)
    assert first.cells["_error"] is None
    assert second.cells["answer"].endswith("on the sheet 'long texts']")
    assert len(second.cells["answer"].encode("utf-16-le")) // 2 <= 32_767
    assert second.cells["_error"] == "column 'answer' is cut; the whole text is on the sheet 'long texts'"
    pieces = [row.cells for row in read(out, sheet="long texts")]
    assert "".join(piece["text"] for piece in pieces) == text
    assert {(piece["sheet"], piece["row"], piece["column"]) for piece in pieces} == {("S", 3, "answer")}
    assert all(len(piece["text"].encode("utf-16-le")) // 2 <= 32_767 for piece in pieces)


@pytest.mark.parametrize("limit", ["XLSX_ROWS", "SHEET_BYTES"])
def test_a_full_sheet_goes_on_in_the_next(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has the header; none has more rows than Excel shows."""
    monkeypatch.setattr(workbook, limit, 4 if limit == "XLSX_ROWS" else 0)
    out = opened(xlsx_output(saved([["x"], *([n] for n in range(1, 6))]), PLAIN, answer("a"), shard_rows=2))
    sheets = [[row[0] for row in sheet.iter_rows(values_only=True)] for sheet in out]
    assert out.sheetnames[:2] == ["S", "S (2)"]
    assert all(sheet[0] == "x" for sheet in sheets)
    assert [n for sheet in sheets for n in sheet[1:]] == [1, 2, 3, 4, 5]


KINDS: list[tuple[ColumnKind, Any, Any]] = [
    ("string", "007", "007"),
    ("string", 7, "7"),
    ("number", 7.5, 7.5),
    ("integer", 7, 7),
    ("integer", 2**63, "9223372036854775808"),
    ("number", 1e300, "1e+300"),
    ("number", float("nan"), "NaN"),
    ("boolean", True, True),
    ("json", {"a": [1]}, '{"a":[1]}'),
    ("number", "n/a", "n/a"),
]


@pytest.mark.parametrize(("kind", "given", "written"), KINDS)
def test_other_uploads_give_cells_by_their_kinds(kind: ColumnKind, given: Any, written: Any) -> None:
    """A CSV's 007 stays 007; a number that Excel would round is text."""
    writer = XlsxOutput(PLAIN, columns=[Column("x", kind)], cells=lambda _raw: {"x": given})
    out = assembled(writer, [part_of(writer, [Row("", START)], answer("a"))])
    assert values(out, "output")[1] == [written, "a", "answered", None]


def test_a_row_that_cannot_be_taken_apart_has_no_own_cells() -> None:
    """Its reason is there."""
    writer = XlsxOutput(PLAIN, columns=[Column("x")], cells=lambda _raw: None)
    out = assembled(writer, [part_of(writer, [Row("", START, error="ragged")], answer("a"))])
    assert values(out, "output")[1] == [None, None, "rejected", "ragged"]


def test_columns_are_checked_before_anything_is_spent() -> None:
    """Making the output's format is enough to hear of it."""
    with pytest.raises(UploadRejected, match=r"^f\.xlsx: the file already has a column 'answer'.*output\.column"):
        XlsxOutput(PLAIN, columns=[Column("answer")], cells=lambda _raw: None, filename="f.xlsx")
    with pytest.raises(UploadRejected, match=r"at most 16,384 columns, but the output has 16,387.*output\.format: csv"):
        XlsxOutput(PLAIN, columns=[Column(str(n)) for n in range(16_384)], cells=lambda _raw: None)


@pytest.mark.parametrize("name", ["a/b:c", "'", "x" * 40, "", "Übersicht 'Q3'"])
def test_sheet_names_are_ones_that_excel_takes(name: str) -> None:
    """At most 31 characters, none of the forbidden, none twice."""
    taken: list[str] = []
    for _ in range(12):
        taken.append(workbook.sheet_name(name, taken))
    assert len({other.casefold() for other in taken}) == 12
    assert all(0 < len(other) <= 31 and not set(other) & set("[]:*?/\\") for other in taken)


def test_an_error_leaves_no_whole_file() -> None:
    """What a failed assembly wrote has no end."""
    target = bytearray()
    writer = XlsxOutput(PLAIN, columns=[Column("x")], cells=lambda _raw: {})

    class Into:
        def write(self, data: bytes, /) -> None:
            target.extend(data)

    with pytest.raises(ValueError, match="JSON"):
        writer.whole([Bytes(b"no json\n")], Into(), None)
    assert not zipfile.is_zipfile(io.BytesIO(bytes(target)))


def test_a_strict_workbook_is_read() -> None:
    """Other namespaces and prefixes name the same things."""
    sheet = (
        '<x:worksheet xmlns:x="http://purl.oclc.org/ooxml/spreadsheetml/main"><x:sheetData><x:row><x:c t="inlineStr">'
        "<x:is><x:t>x</x:t></x:is></x:c></x:row><x:row><x:c><x:v>1</x:v></x:c></x:row></x:sheetData></x:worksheet>"
    )
    assert read(raw_book("", **{"xl/worksheets/sheet1.xml": sheet, **MEMBERS}))[0].cells == {"x": 1}
