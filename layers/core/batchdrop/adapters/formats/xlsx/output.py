"""Write Excel workbooks: the rows' own cells with types and formats, then typed new columns."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import msgspec

from batchdrop.adapters.formats.open_file import Sink
from batchdrop.adapters.formats.xlsx.cells import Cell, cell_of
from batchdrop.adapters.formats.xlsx.extend_workbook import CannotExtend, Extension, extend_workbook
from batchdrop.adapters.formats.xlsx.header import SheetHeader
from batchdrop.adapters.formats.xlsx.input import decoded
from batchdrop.adapters.formats.xlsx.limits import XLSX_COLUMNS
from batchdrop.adapters.formats.xlsx.long_texts import LONG_HEADER, LONG_TEXTS, LongTexts, cut, is_long
from batchdrop.adapters.formats.xlsx.workbook import Workbook
from batchdrop.answers.columns import Column, NewColumns
from batchdrop.answers.outcome import Outcome
from batchdrop.errors import UploadRejected
from batchdrop.job.ports import Assemble, PartWriter
from batchdrop.ports import Source, Writer
from batchdrop.requests.row import StoredRow

SHEET = "output"  # the sheet's name, if the upload has no sheets
Cells = Callable[[str], dict[str, Any] | None]


class XlsxOutput:
    """Writes a workbook: from an xlsx upload with its `header`, from any other with its `columns` and `cells`.

    The parts are JSON lines of cells. At the end, they are added to the upload, if it is an xlsx. Otherwise, the
    workbook is made from them. It has one sheet, with the upload's name and a bold frozen header. Rows beyond Excel's
    1,048,576 continue in `output (2)`, with the header again. Other sheets, formulas, colours and widths are not
    copied, nor are titles over the header.
    A cell holds at most 32,767 characters: a longer text is cut with a mark, and its row's error column says so. The
    whole text is on the sheet `long texts`, in pieces. Raises UploadRejected for more than 16,384 columns, or if a new
    column has the name of one of the upload's.
    """

    def __init__(
        self,
        new: NewColumns,
        *,
        header: str = "",
        columns: Sequence[Column] = (),
        cells: Cells | None = None,
        escape_formulas: bool = True,
        filename: str = "the file",
        macros: bool = False,
        changes_upload: bool = False,
    ) -> None:
        self.extension = "xlsm" if macros else "xlsx"
        self._filename = filename
        self._new = new
        self._values_of = new.values_of()
        self._sheet = msgspec.json.decode(header, type=SheetHeader) if header else None
        self.changes_upload = changes_upload and self._sheet is not None and not self._sheet.is_converted
        self._own = tuple(map(Column, self._sheet.columns)) if self._sheet else tuple(columns)
        self._cells = cells
        self._escape_formulas = escape_formulas
        self._names = [column.name for column in (*self._own, *new.all)]
        has_titles = self._sheet is not None and self._sheet.has_titles
        self._titles = [*self._sheet.titles, *new.names] if self._sheet and has_titles else self._names
        _check(self._names, len(self._own), filename)

    def part(self, target: Writer, sidecar: Source | None) -> AbstractContextManager[PartWriter]:  # noqa: ARG002 - the port's
        """Open a shard's part; the sidecar is not needed."""
        return self._part(target)

    @property
    def whole(self) -> Assemble:
        """Return a function that writes the workbook row by row, in flat memory."""
        return self._assemble

    def _assemble(self, parts: Iterable[Source], target: Writer, upload: Source | None = None) -> None:
        if self._sheet is None or upload is None or self._sheet.is_converted:
            self._assemble_alone(parts, target)
            return
        try:
            self._extend(upload, self._sheet, parts, target)
        except CannotExtend:
            self._assemble_alone(parts, target)

    def _extend(self, upload: Source, sheet: SheetHeader, parts: Iterable[Source], target: Writer) -> None:
        sink = Sink(target)
        with LongTexts() as texts, upload.open() as stream, zipfile.ZipFile(sink, "w") as archive:
            rows = (cells[len(self._own) :] for cells in _part_rows(parts))
            try:
                extend_workbook(stream, self._filename, Extension(sheet, self._new.names, rows, texts), archive)
            except BaseException:
                sink.abandon()  # before the archive writes its end
                raise

    def _assemble_alone(self, parts: Iterable[Source], target: Writer) -> None:
        sink = Sink(target)
        epoch_1904 = self._sheet.epoch_1904 if self._sheet else False
        workbook = Workbook(sink, epoch_1904=epoch_1904, escape_formulas=self._escape_formulas)
        try:
            with LongTexts() as long_texts:
                workbook.begin_sheet(self._sheet.sheet if self._sheet else SHEET, self._titles)
                for cells in _part_rows(parts):
                    self._write(workbook, cells, long_texts)
                if long_texts.has_any:
                    workbook.begin_sheet(LONG_TEXTS, LONG_HEADER)
                    for row in long_texts.rows():
                        workbook.add(row)
            workbook.close()
        except BaseException:
            sink.abandon()
            raise

    @contextmanager
    def _part(self, target: Writer) -> Iterator[PartWriter]:
        yield _Part(target, self._row)

    def _row(self, row: StoredRow, outcome: Outcome) -> list[Cell]:
        new = [
            cell_of(value, column.kind) for value, column in zip(self._values_of(outcome), self._new.all, strict=True)
        ]
        cells = [*self._own_cells(row.raw), *new]
        long = [name for name, cell in zip(self._names, cells, strict=True) if is_long(cell)]
        if long:
            place = self._names.index(self._new.error)
            notes = [f"column '{name}' is cut; the whole text is on the sheet '{LONG_TEXTS}'" for name in long]
            cells[place] = "; ".join([*([cells[place]] if cells[place] else []), *notes])
        return cells

    def _own_cells(self, raw: str) -> list[Cell]:
        if self._cells is None:
            cells = (decoded(raw) or [])[: len(self._own)]
            return [*cells, *[None] * (len(self._own) - len(cells))]
        named = self._cells(raw) or {}
        return [cell_of(named.get(column.name), column.kind) for column in self._own]

    def _write(self, workbook: Workbook, cells: list[Cell], long_texts: LongTexts) -> None:
        long = {name: cell for name, cell in zip(self._names, cells, strict=True) if is_long(cell)}
        sheet, number = workbook.add([cut(cell) for cell in cells] if long else cells)
        for name, cell in long.items():
            long_texts.keep(sheet, number, name, cell)


class _Part:
    """JSON lines of cells."""

    def __init__(self, target: Writer, row_of: Callable[[StoredRow, Outcome], list[Cell]]) -> None:
        self._target = target
        self._row_of = row_of
        self._encoder = msgspec.json.Encoder()

    def add(self, rows: Sequence[StoredRow], outcomes: Sequence[Outcome]) -> None:
        self._target.write(self._encoder.encode_lines(map(self._row_of, rows, outcomes)))


def _part_rows(parts: Iterable[Source]) -> Iterator[list[Cell]]:
    decoder = msgspec.json.Decoder(list[Any])
    for part in parts:
        with part.open() as stream:
            for line in stream:
                yield decoder.decode(line)


def _check(names: list[str], own: int, filename: str) -> None:
    taken = set(names[:own])
    for name in names[own:]:
        if name in taken:
            message = (
                f"{filename}: the file already has a column '{name}', the name of an output column; rename it, "
                "or set output.column or output.prefix in the recipe"
            )
            raise UploadRejected(message)
    if len(names) > XLSX_COLUMNS:
        message = (
            f"{filename}: an .xlsx sheet has at most {XLSX_COLUMNS:,} columns, but the output has {len(names):,}. "
            "Set output.format: csv in the recipe"
        )
        raise UploadRejected(message)
