"""Read a workbook's sheets, its date system and its number formats."""

from __future__ import annotations

from dataclasses import dataclass, field

from batchdrop.adapters.formats.xlsx.formats import NumberFormat
from batchdrop.adapters.formats.xlsx.limits import MAX_XLSX_FORMATS
from batchdrop.adapters.formats.xlsx.package import Package
from batchdrop.adapters.formats.xlsx.xml import Attributes, BadXml, parse_all
from batchdrop.errors import UploadRejected

_TRUE = {"1", "true", "on"}


@dataclass
class Book:
    """A workbook's visible and hidden sheets by name, and what its cells need to be read.

    `zeros_stand_in`: the file asks to be calculated when it is opened. The program that wrote it stored 0 for each
    formula. `path` is the workbook part's.
    """

    sheets: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    epoch_1904: bool = False
    zeros_stand_in: bool = False
    strings: str = ""
    styles: str = ""
    path: str = ""

    def sheet(self, wanted: str | None, filename: str) -> str:
        """Return the wanted sheet's name as the workbook spells it, or the first visible one. Raises UploadRejected."""
        if wanted is None:
            return next((name for name in self.sheets if name not in self.hidden), next(iter(self.sheets)))
        for name in (wanted, *self.sheets):
            if name in self.sheets and name.casefold() == wanted.casefold():
                return name
        message = (
            f"{filename}: sheet '{wanted}' does not exist (sheets: {', '.join(self.sheets)}). "
            "Fix input.sheet in the recipe, or the sheet's name"
        )
        raise UploadRejected(message)


def read_book(package: Package, filename: str) -> Book:
    """Read the workbook part. Raises UploadRejected if it is missing, or has no sheet with cells."""
    path = next((target for kind, target in package.related("").values() if kind == "officeDocument"), "")
    book = Book()
    if path:
        book.path = path
        related = package.related(path)
        _read_workbook(package, path, related, book)
        book.strings = _target(related, "sharedStrings")
        book.styles = _target(related, "styles")
    if not book.sheets:
        message = f"{filename}: this is not an Excel workbook. Save it as .xlsx and drop it again"
        raise UploadRejected(message)
    return book


def read_formats(package: Package, path: str) -> list[NumberFormat]:
    """Return the number format of each cell style."""
    codes: dict[int, str] = {}
    formats: list[int] = []
    inside = ""

    def start(tag: str, attributes: Attributes) -> None:
        nonlocal inside
        if tag in {"cellXfs", "cellStyleXfs", "dxfs"}:
            inside = tag
        elif tag == "xf" and inside == "cellXfs":
            formats.append(_number(attributes.get("numFmtId")))
        elif tag == "numFmt" and inside != "dxfs":
            codes[_number(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
        if len(formats) + len(codes) > MAX_XLSX_FORMATS:
            message = f"it has more than {MAX_XLSX_FORMATS:,} cell formats"
            raise BadXml(message)

    if path and package.has(path):
        with package.refusals(), package.open(path) as stream:
            parse_all(stream, start=start)
    return [_format(number, codes) for number in formats]


def _read_workbook(package: Package, path: str, related: dict[str, tuple[str, str]], book: Book) -> None:
    def start(tag: str, attributes: Attributes) -> None:
        if tag == "workbookPr":
            book.epoch_1904 = attributes.get("date1904", "").lower() in _TRUE
        elif tag == "calcPr":
            book.zeros_stand_in = attributes.get("fullCalcOnLoad", "").lower() in _TRUE
        elif tag == "sheet":
            relation = next((value for key, value in attributes.items() if key.rpartition(" ")[2] == "id"), "")
            kind, target = related.get(relation, ("", ""))
            if kind == "worksheet" and package.has(target):
                name = attributes.get("name", "")
                book.sheets[name] = target
                if attributes.get("state", "visible") != "visible":
                    book.hidden.add(name)

    with package.refusals(), package.open(path) as stream:
        parse_all(stream, start=start)


def _target(related: dict[str, tuple[str, str]], wanted: str) -> str:
    return next((target for kind, target in related.values() if kind == wanted), "")


def _format(number: int, codes: dict[int, str]) -> NumberFormat:
    code = codes.get(number)
    if code is None:
        return number
    return 0 if code.lower() == "general" else code


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else 0  # noqa: PLR2004 - no format has so many digits
