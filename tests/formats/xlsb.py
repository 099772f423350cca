"""Small .xlsb workbooks, written record by record: no free program writes them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from tests.formats.sheets import RELATIONS, zipped

_KINDS = "http://schemas.microsoft.com/office/2006/relationships"


def xlsb_file(rows: Sequence[Sequence[Any]], *, title: str = "Sheet") -> bytes:
    """Return a workbook of one sheet with texts, numbers and booleans. None leaves the cell out."""
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": _relation("officeDocument", "xl/workbook.bin"),
            "xl/_rels/workbook.bin.rels": _relation("worksheet", "worksheets/sheet1.bin"),
            "xl/workbook.bin": _book(title),
            "xl/worksheets/sheet1.bin": _sheet(rows),
        }
    )


def _relation(kind: str, target: str) -> str:
    return (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{RELATIONS}/{kind}" Target="{target}"/></Relationships>'
    )


def _book(title: str) -> bytes:
    sheet = struct.pack("<II", 0, 1) + _text("rId1") + _text(title)
    return b"".join(
        (_record(131), _record(153, bytes(12)), _record(143), _record(156, sheet), _record(144), _record(132))
    )


def _sheet(rows: Sequence[Sequence[Any]]) -> bytes:
    width = max(map(len, rows), default=0)
    records = [_record(129), _record(148, struct.pack("<IIII", 0, max(0, len(rows) - 1), 0, max(0, width - 1)))]
    records.append(_record(145))
    for number, row in ((number, row) for number, row in enumerate(rows) if row):
        records.append(_record(0, struct.pack("<IIHHBI", number, 0, 300, 0, 0, 0)))
        records += [_cell(column, value) for column, value in enumerate(row) if value is not None]
    return b"".join((*records, _record(146), _record(130)))


def _cell(column: int, value: Any) -> bytes:
    place = struct.pack("<II", column, 0)
    if isinstance(value, bool):
        return _record(4, place + struct.pack("<B", value))
    if isinstance(value, int | float):
        return _record(5, place + struct.pack("<d", value))
    return _record(6, place + _text(value))


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-le")
    return struct.pack("<I", len(encoded) // 2) + encoded


def _record(kind: int, body: bytes = b"") -> bytes:
    return _number(kind) + _number(len(body)) + body


def _number(number: int) -> bytes:
    """Return a record's kind or size: seven bits a byte."""
    pieces = bytearray()
    while number > 0x7F:
        pieces.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*pieces, number])
