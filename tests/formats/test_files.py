"""Files as rows: one of its own, or the members of an archive."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path

import pytest

from batchdrop import limits
from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.adapters.formats.files.files_input import FilesInput
from batchdrop.answers.columns import Column
from batchdrop.errors import UploadRejected
from batchdrop.job.upload import parse_inbox_key
from batchdrop.recipe.recipe import Output
from batchdrop.requests.row import Cursor, Row
from tests.documents import FOLDER, document, zipped
from tests.formats.reading import NEW, Bytes, rows_in

PNG = document("disc.png")


def _rows(name: str, body: bytes, start: Cursor = Cursor()) -> list[Row]:  # noqa: B008 - frozen
    return list(rows_in(FilesInput(name), Bytes(body, name), start))


def _error(name: str, body: bytes) -> str:
    (row,) = _rows(name, body)
    assert row.error is not None
    return row.error


def test_a_file_is_one_row() -> None:
    """Its block is the row's content; its name, type and size are the cells."""
    (row,) = _rows("disc.png", PNG)
    assert row.cells == {"file": "disc.png", "type": "image/png", "bytes": len(PNG)}
    assert json.loads(row.raw) == row.cells
    assert [block["type"] for block in row.content] == ["image"]
    assert (row.error, row.number, row.place) == (None, 1, "row 1")


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_every_sample_is_a_row(path: Path) -> None:
    """Asked, or refused because it is locked; whatever its name says."""
    (row,) = _rows(f"{path.stem}.xyz", path.read_bytes())
    assert (row.error is None) != path.name.startswith("locked")


def test_a_file_that_cannot_be_sent_is_a_reject() -> None:
    """With its size and the reason; its type stays open."""
    (row,) = _rows("a.bin", b"\0\1\2")
    assert row.error is not None
    assert "save it as PDF" in row.error
    assert json.loads(row.raw) == {"file": "a.bin", "type": "", "bytes": 3}


def test_a_file_too_large_is_not_read() -> None:
    """Its size is known before."""

    class Heavy(Bytes):
        @property
        def size(self) -> int:
            return limits.MAX_DOCUMENT_BYTES + 1

    (row,) = rows_in(FilesInput("a.pdf"), Heavy(b""), Cursor())
    assert row.error is not None
    assert "24,000,001 bytes" in row.error


def test_an_archive_is_a_row_a_member() -> None:
    """In its order; folders and what systems put beside files are none; names are shown whole."""
    members = {
        "scans/": b"",
        "scans/b.pdf": document("page.pdf"),
        "__MACOSX/scans/._b.pdf": b"\0",
        "scans/.DS_Store": b"\0",
        ".hidden/x.png": PNG,
        "a.png": PNG,
        "../../etc/passwd": b"root:x:0:0",
    }
    rows = _rows("f.zip", zipped(members))
    assert [row.cells["file"] for row in rows] == ["scans/b.pdf", "a.png", "../../etc/passwd"]
    assert [row.content[0]["type"] for row in rows] == ["document", "image", "document"]
    assert [row.place for row in rows] == [
        "row 1 (scans/b.pdf)",
        "row 2 (a.png)",
        "row 3 (../../etc/passwd)",
    ]


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_ways_of_packing(packing: int) -> None:
    """Whatever zip programs use by default, and what Python knows beside."""
    (row,) = _rows("f.ZIP", zipped({"a.png": PNG}, packing))
    assert row.cells["bytes"] == len(PNG)


def test_reading_goes_on_at_every_member() -> None:
    """Another invocation reads on at a row's start, and gives it the same number and place."""
    body = zipped({"x/": b"", "a.txt": b"one", "b.txt": b"", ".c": b"-", "d.txt": b"three"})
    rows = _rows("f.zip", body)
    assert [row.number for row in rows] == [1, 2, 3]
    for index, row in enumerate(rows):
        assert _rows("f.zip", body, row.start) == rows[index:]


def test_a_bad_member_is_a_reject_alone() -> None:
    """Its neighbours are rows."""
    nested = zipped({"a.png": PNG})
    rows = _rows("f.zip", zipped({"a.png": PNG, "inner.zip": nested, "empty.pdf": b"", "b.png": PNG}))
    errors = [row.error for row in rows]
    assert errors[0] is errors[3] is None
    assert errors[1] is not None
    assert "ZIP archive" in errors[1]
    assert errors[2] == "the file is empty"
    assert json.loads(rows[1].raw) == {"file": "inner.zip", "type": "", "bytes": len(nested)}


def test_a_damaged_member_is_a_reject_alone() -> None:
    """Its bytes do not match its checksum."""
    body = bytearray(zipped({"a.txt": b"first words", "b.txt": b"other words"}, zipfile.ZIP_STORED))
    body[body.index(b"first")] ^= 1
    damaged, good = _rows("f.zip", bytes(body))
    assert damaged.error is not None
    assert "cannot be unpacked (Bad CRC-32" in damaged.error
    assert good.error is None


def test_damaged_packing_is_a_reject() -> None:
    """No error of any unpacker gets further than its row."""
    for packing in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        text = b"".join(b"line %d\n" % (number * 7919) for number in range(500))
        body = bytearray(zipped({"a.txt": text}, packing))
        for place in range(60, 400, 11):
            body[place] ^= 0xFF
        assert "zip the files again" in _error("f.zip", bytes(body))


def test_an_unknown_packing_is_a_reject() -> None:
    """Deflate64 and such."""
    body = bytearray(zipped({"a.txt": b"words"}, zipfile.ZIP_STORED))
    for header, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = body.index(header) + place
        body[start : start + 2] = struct.pack("<H", 9)
    assert "cannot be unpacked" in _error("f.zip", bytes(body))


def test_an_encrypted_member_is_a_reject() -> None:
    """There is no password to ask for."""
    body = bytearray(zipped({"a.txt": b"words"}))
    for header, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.index(header) + place] |= 1
    assert "encrypted in the archive; zip it without a password" in _error("f.zip", bytes(body))


def test_a_member_too_large_is_not_unpacked() -> None:
    """What the archive declares is enough."""
    body = bytearray(zipped({"a.txt": b"words", "b.txt": bytes(range(256)) * 4_000}, zipfile.ZIP_STORED))
    start = body.index(b"PK\x01\x02") + 24
    body[start : start + 4] = struct.pack("<I", limits.MAX_DOCUMENT_BYTES + 1)
    first, _ = _rows("f.zip", bytes(body))
    assert first.error is not None
    assert "24,000,001 bytes" in first.error


def test_a_member_that_declares_less_than_it_holds_is_a_reject() -> None:
    """No more than declared is unpacked, and that is not what was packed."""
    body = bytearray(zipped({"a.txt": b"words" * 100_000}))
    start = body.index(b"PK\x01\x02") + 24
    body[start : start + 4] = struct.pack("<I", 10)
    assert "cannot be unpacked" in _error("f.zip", bytes(body))


def test_a_bomb_is_refused_whole() -> None:
    """An archive that unpacks to a thousand times its size."""
    with pytest.raises(UploadRejected, match=r"f\.zip: its .* bytes would unpack to 20,000,000, more than 200 times"):
        _rows("f.zip", zipped({"a.txt": bytes(20_000_000)}))


def test_a_bomb_among_honest_files_is_a_reject() -> None:
    """The archive's own ratio is low, the member's is not."""
    import random

    noise = random.Random(0).randbytes(200_000)
    _, bomb = _rows("f.zip", zipped({"noise.bin": noise, "bomb.txt": bytes(5_000_000)}))
    assert bomb.error is not None
    assert "more than 200 times" in bomb.error


def test_a_directory_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive's directory is read at once, so there is a limit to it."""
    monkeypatch.setattr("batchdrop.adapters.formats.files.zip_members.MAX_ZIP_DIRECTORY_BYTES", 20_000)
    with pytest.raises(UploadRejected, match="too many files; split it into several"):
        _rows("f.zip", zipped({f"file number {number}.txt": b"x" for number in range(1_000)}))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (PNG, "not a ZIP archive"),
        (zipped({"a.png": PNG})[:-30], "truncated or damaged"),
        (zipped({"a.png": PNG})[:40], "truncated or damaged"),
        (b"PK\x03\x04", "truncated or damaged"),
    ],
    ids=["no archive", "end cut off", "begin only", "four bytes"],
)
def test_a_broken_archive_is_refused(body: bytes, reason: str) -> None:
    """The whole upload, with what to do."""
    with pytest.raises(UploadRejected, match=rf"^f\.zip: .*{reason}.*zip the files again"):
        _rows("f.zip", body)


def test_an_archive_of_nothing_has_no_rows() -> None:
    """The split says so."""
    assert _rows("f.zip", zipped({})) == _rows("f.zip", zipped({"x/": b""})) == []


def test_names_of_macos_are_read() -> None:
    """It writes UTF-8 and does not mark it; names that are none stay as they were."""
    for raw, shown in (("Größe.txt".encode(), "Größe.txt"), (b"caf\x82.txt", "café.txt")):
        body = zipped({"x" * len(raw): b"words"}).replace(b"x" * len(raw), raw)
        (row,) = _rows("f.zip", body)
        assert row.cells["file"] == shown


def test_an_archive_needs_its_name() -> None:
    """Office documents are archives too; what is not named .zip is not opened."""
    assert "save documents as PDF" in _error("letter.docx", zipped({"[Content_Types].xml": b"<xml/>"}))


def test_the_choice_reads_any_name_and_writes_csv() -> None:
    """The recipe says that files are rows; the extension says nothing."""
    formats, new = FileFormats(), NEW
    for name in ("a.pdf", "photo", "x.csv", "many.zip"):
        key = parse_inbox_key(f"inbox/r/{name}")
        reader = formats.reader(key, "files", new)
        assert (reader.name, reader.columns, reader.header) == ("files", ["file", "type", "bytes"], "")
        columns = [Column(column) for column in reader.columns or []]
        assert formats.writer(reader, key, Output(), new, columns).extension == "csv"
        assert formats.writer(reader, key, Output(format="jsonl"), new, columns).extension == "jsonl"


def test_stored_rows_give_their_cells() -> None:
    """The output is written by another invocation."""
    reader = FilesInput("f.zip")
    (row,) = _rows("disc.png", PNG)
    assert reader.cells(row.raw) == row.cells
    assert reader.cells("no json") is None


def test_memory_holds_one_member(tmp_path: Path) -> None:
    """Rows are made one at a time; none is kept."""
    import tracemalloc

    text = b"".join(b"%d lines of this kind\n" % (number * 7919 % 99991) for number in range(60_000))
    path = tmp_path / "f.zip"
    path.write_bytes(zipped({f"{number}.txt": text for number in range(12)}))
    source = _OnDisk(path)
    tracemalloc.start()
    count = sum(1 for _ in rows_in(FilesInput("f.zip"), source, Cursor()))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 12
    assert most < 8 * len(text)


class _OnDisk(Bytes):
    def __init__(self, path: Path) -> None:
        super().__init__(b"", path.name)
        self._path = path

    @property
    def size(self) -> int:
        return self._path.stat().st_size

    def open(self) -> io.BufferedReader:
        return self._path.open("rb")
