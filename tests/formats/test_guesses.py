"""The encoding of a file that is not UTF-8: the right one comes first, or is among those that are shown."""

from __future__ import annotations

import pytest

from batchdrop.adapters.formats.text.encodings import UTF_8
from batchdrop.adapters.formats.text.guesses import MOST_NAMED, advice, likely_encodings
from batchdrop.errors import UploadRejected
from tests.formats.languages import LINES, WRITTEN, encoded
from tests.formats.reading import read

EACH_LINE = [(encoding, line) for language, encoding in WRITTEN for line in LINES[language]]


@pytest.mark.parametrize(("language", "encoding"), WRITTEN)
def test_ten_lines_are_enough(language: str, encoding: str) -> None:
    """The first name gives the right text."""
    body = encoded(LINES[language], encoding)
    assert body.decode(likely_encodings(body, UTF_8)[0]) == body.decode(encoding)


def test_one_line_shows_it_among_three() -> None:
    """Each with the line, so that a person who reads the language sees which is right."""
    missed = []
    for encoding, line in EACH_LINE:
        body = encoded([line], encoding)
        if body.isascii():
            continue
        found = likely_encodings(body, UTF_8)
        assert len(found) <= MOST_NAMED
        if body.decode(encoding) not in map(body.decode, found):
            missed.append((encoding, line, found))
    assert missed == []


def test_the_line_is_shown_in_each_of_them() -> None:
    """For a single symbol among ASCII, Windows' Western encoding comes first, and no encoding with two bytes."""
    body = "nr,text\n1,x\n2,5 £\n".encode("cp1252")
    text = advice(body, body.index(b"2,"), UTF_8)
    assert text.startswith("The text around it looks like cp1252 (Western European, Windows): '2,5 £'; or like ")
    assert "cp932" not in text


@pytest.mark.parametrize(
    ("line", "encoding"),
    [
        ("costs 5 € \u2013 \u201cfine\u201d", "cp1252"),
        ("Müller ist zufrieden", "cp850"),
        ("Müller\u2019s Kaffee, schön heiß", "mac-roman"),
    ],
)
def test_symbols_and_capitals_within_words_tell(line: str, encoding: str) -> None:
    """Quotes and dashes are usual in any language; a capital within a word is not."""
    body = f"1,{line}\n".encode(encoding)
    assert body.decode(likely_encodings(body, UTF_8)[0]) == f"1,{line}\n"


def test_a_broken_letter_among_utf8_is_no_other_encoding() -> None:
    """One row was pasted from elsewhere: cp1252 would spoil all others."""
    body = "nr,text\n1,café à la crème ".encode() + b"ol\xe9\n"
    assert advice(body, body.index(b"1,"), UTF_8) == "Other letters of the text around it are, so fix this row"


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (b"\x1f\x8b\x08\x00", "the file is gzip-compressed; drop it as f.csv.gz"),
        (b"\x28\xb5\x2f\xfd\x00", "the file is compressed with Zstandard; drop it as f.csv.zst"),
        (b"BZh91AY&SY", "the file is compressed with bzip2; drop it as f.csv.bz2"),
        (b"PAR1\x15\x04", "the file is a Parquet file; drop it as f.parquet"),
        (b"PK\x03\x04....[Content_Types].xml", "the file is an Excel workbook; drop it as f.xlsx"),
        (b"PK\x03\x04....data.csv", "the file is a ZIP archive; drop it as f.zip"),
        (b"%PDF-1.7", "the file is a PDF; drop it as f.pdf"),
        (b'[{"nr": 1,', "the file is JSON; drop it as f.json"),
        (b'{"nr": 1, "text": "late"}', "the file is JSON; drop it as f.jsonl"),
        (b"<!DOCTYPE html><html>", "the file is a web page or XML, not a table"),
    ],
)
def test_what_is_no_table_is_told_by_its_name(start: bytes, told: str) -> None:
    """Rather than by a byte that is not UTF-8."""
    with pytest.raises(UploadRejected, match=r"^f\.csv: ") as refused:
        read("csv", start + b"\n1,2\n")
    assert told in str(refused.value)
