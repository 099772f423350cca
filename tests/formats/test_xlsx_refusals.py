"""Workbooks that cannot or must not be read are refused with the file's name and what to do."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from contextlib import suppress

import pytest

from batchdrop.adapters.formats.xlsx import package, xml
from batchdrop.errors import UploadRejected
from tests.formats.sheets import MEMBERS, raw_book, read, saved, zipped

WHOLE = saved([["x", "text"], *([n, f"text {n % 3}"] for n in range(20))])
OLE = bytes.fromhex("d0cf11e0a1b11ae1")
ROW = '<row r="1"><c t="inlineStr"><is><t>x</t></is></c></row>'


def ole(name: str) -> bytes:
    """Return the beginning of an OLE container whose directory has this entry."""
    head = bytearray(512)
    head[:8] = OLE
    struct.pack_into("<H", head, 30, 9)
    struct.pack_into("<I", head, 48, 1)
    return bytes(head) + bytes(512) + name.encode("utf-16-le").ljust(512, b"\0")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "is not an Excel workbook"),
        (b"a,b\n1,2\n", "is text, not an Excel workbook"),
        (b"PK", "the workbook is broken"),
        (WHOLE[: len(WHOLE) // 2], "the workbook is broken"),
        (zipped({"a.txt": "x"}), "is not an Excel workbook"),
        (zipped({**MEMBERS, "xl/workbook.xml": "<document/>"}), "is not an Excel workbook"),
        (
            zipped({"_rels/.rels": MEMBERS["_rels/.rels"].replace("workbook.xml", "workbook.bin")}),
            "the workbook is broken",
        ),
        (ole("Workbook"), "the workbook is broken"),
        (ole("EncryptedPackage"), "locked with a password"),
        (raw_book(ROW + '<row r="2"><c t="s"><v>7</v></c></row>'), "text 7 of 0"),
        (raw_book(ROW + '<row r="1"><c/></row>'), "row 1 follows row 1"),
        (raw_book(ROW + '<row r="1048577"><c/></row>'), "row 1,048,577"),
        (raw_book(ROW + '<row><c r="XFE2"><v>1</v></c></row>'), "more than 16,384 columns"),
        (raw_book(ROW + '<row><c r="2"><v>1</v></c></row>'), "more than 16,384 columns"),
        (raw_book(ROW + "<row><c></row>"), "its XML is broken"),
        (raw_book(ROW, head='<?xml version="1.0" encoding="nobody-knows"?>'), "its XML is broken"),
        (raw_book("<a>" * 300 + "</a>" * 300), "nested more than 256 deep"),
        (raw_book(""), "sheet 'S' is empty"),
    ],
)
def test_what_is_not_a_workbook_is_refused(body: bytes, told: str) -> None:
    """The message names the file, what is wrong, and what to do."""
    with pytest.raises(UploadRejected, match=rf"^f\.xlsx: .*{told}"):
        read(body)


BOMB = "<!DOCTYPE x [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize("dtd", [BOMB + "]>", "<!DOCTYPE x SYSTEM 'file:///etc/passwd'>"])
@pytest.mark.parametrize("member", ["xl/worksheets/sheet1.xml", "xl/strings.xml", "xl/workbook.xml", "_rels/.rels"])
def test_entities_are_refused_wherever_they_are(dtd: str, member: str) -> None:
    """No part of a workbook may declare a document type: nothing is expanded, nothing is fetched."""
    members = {**MEMBERS, "xl/worksheets/sheet1.xml": f"<worksheet><sheetData>{ROW}</sheetData></worksheet>"}
    members["xl/strings.xml"] = "<sst/>"
    members[member] = dtd + "<x>&i;</x>"
    with pytest.raises(UploadRejected, match="DTD"):
        read(zipped(members))


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    """By its ratio where it is large enough to hurt."""
    out = io.BytesIO(WHOLE)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/media/bomb", "w") as bomb:
        for _ in range(110):
            bomb.write(bytes(1_000_000))
    with pytest.raises(UploadRejected, match=r"unpacks from .* to 110,\d{3},\d{3} bytes, more than is safe"):
        read(out.getvalue())


def test_a_workbook_that_is_merely_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its ratio."""
    monkeypatch.setattr(package, "MAX_XLSX_BYTES", 1_000)
    with pytest.raises(UploadRejected, match="more than is safe"):
        read(WHOLE)


def test_a_zip_of_countless_members_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its table of contents is read into memory."""
    monkeypatch.setattr(package, "MAX_XLSX_DIRECTORY_BYTES", 100)
    with pytest.raises(UploadRejected, match="too many parts"):
        read(WHOLE)


def test_an_endless_tag_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expat would keep it whole."""
    monkeypatch.setattr(xml, "MAX_XLSX_TOKEN_BYTES", 200_000)
    with pytest.raises(UploadRejected, match="a tag of more than 200,000 bytes"):
        read(raw_book(f'<row r="{"1" * 400_000}">'))


@pytest.mark.parametrize("cell", ['<c t="inlineStr"><is><t>{}</t></is></c>', "<c><v>{}</v></c>"])
def test_an_endless_text_is_refused(cell: str) -> None:
    """No cell holds ten million characters."""
    with pytest.raises(UploadRejected, match="more than 10,000,000 characters"):
        read(raw_book(f"{ROW}<row>{cell.format('x' * 10_000_001)}</row>"))


def test_a_locked_member_is_refused() -> None:
    """A zip's own password is one, too."""
    body = bytearray(WHOLE)
    place = body.find(b"PK\x01\x02")
    body[place + 8] |= 1
    with pytest.raises(UploadRejected, match="locked with a password"):
        read(bytes(body))


@pytest.mark.parametrize("seed", range(8))
def test_no_damage_makes_another_error(seed: int) -> None:
    """Cut, flipped and stuffed workbooks, and those with damaged XML inside, are read or refused; nothing else."""
    chance = random.Random(seed)
    for number in range(60):
        body = _repacked(chance) if number % 2 else WHOLE
        with suppress(UploadRejected):
            read(_damaged(body, chance) if number % 2 == 0 else body)


def _damaged(body: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(body)
    if chance.random() < 0.2:
        return body[: chance.randrange(len(body))]
    for _ in range(chance.choice((1, 1, 2, 8))):
        place = chance.randrange(len(body) - 900 if chance.random() < 0.6 else 0, len(body))
        damaged[place] = chance.choice((damaged[place] ^ 1 << chance.randrange(8), 0, 0x7F, 0xFF))
    return bytes(damaged)


STUFFING = [
    b'<c r="ZZZZ1">',
    b'<row r="0">',
    b"<v>1e999</v>",
    b"</row>",
    b"&x;",
    b"<is><t>",
    b' t="s"',
    b"9" * 30,
    b"-",
    b"",
]


def _repacked(chance: random.Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(WHOLE)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    victim = chance.choice([name for name in members if name.startswith(("xl/", "_rels"))])
    body = members[victim]
    place = chance.randrange(len(body))
    members[victim] = body[:place] + chance.choice(STUFFING) + body[place + chance.choice((0, 0, 1, 9)) :]
    return zipped(members)
