"""Files that other programs made: their cells, and their bytes in the output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.adapters.formats.text.encodings import encode
from batchdrop.adapters.formats.text.text_output import encoding_of
from batchdrop.answers.columns import Column
from batchdrop.errors import UploadRejected
from batchdrop.job.upload import parse_inbox_key
from batchdrop.recipe.recipe import Input, Output
from batchdrop.requests.row import Cursor, StoredRow
from tests.formats.reading import NEW, Bytes, Collected, by_number, rows_in

FILES = Path(__file__).parents[1] / "files"

REVIEWS = [["007", 'Great, works "as is"', "1.10"], ["008", "two\nlines", "-5"], ["009", "", "NA"]]
PANDAS = [["007", 'Great, works "as is"', "1.1"], ["008", "two\nlines", "-5.0"], ["009", "", ""]]
INDEXED = [[str(number), *row] for number, row in enumerate(PANDAS)]
TYPED: list[list[Any]] = [["007", 'Great, works "as is"', 1.1], ["008", "two\nlines", -5.0], ["009", None, None]]
NODE: list[list[Any]] = [
    ["007", 'Great, works "as is" 😀', 1.1],
    ["008", "two\nlines \u2028 é", 12345678901234567000],
    ["009", "", None],
]
JAPANESE = [["1", "とても良い商品でした。"], ["2", "表示が①のまま～で、残念"], ["3", "箱が潰れていた、\n返品したい"]]  # noqa: RUF001 - cp932's own wave dash
PLAIN = [[cell.replace("①", "1").replace("～", "-") for cell in row] for row in JAPANESE]  # noqa: RUF001 - likewise
GERMAN = [["1", "Schöne Größe – gerne wieder", "9,90 €"], ["2", "kaputt; zurück", "1,00 €"]]

CASES: list[tuple[str, str | None, Sequence[Sequence[Any]]]] = [
    ("sqlite.csv", None, REVIEWS),
    ("sqlite.tsv", None, [REVIEWS[0], REVIEWS[2]]),
    ("sqlite.json", None, REVIEWS),
    ("jq.jsonl", None, REVIEWS),
    ("jq_indented.json", None, REVIEWS),
    ("pandas.csv", None, INDEXED),
    ("pandas_utf8_sig.csv", None, PANDAS),
    ("pandas.tsv", None, PANDAS),
    ("pandas.json", None, TYPED),
    ("pandas_indented.json", None, TYPED),
    ("pandas.jsonl.gz", None, TYPED),
    ("pandas.csv.zst", None, PANDAS),
    ("pandas.csv.bz2", None, PANDAS),
    ("gzip.csv.gz", None, REVIEWS),
    ("gzip_two_members.csv.gz", None, REVIEWS),
    ("bzip2.csv.bz2", None, REVIEWS),
    ("zstd.csv.zst", None, REVIEWS),
    ("zstd_two_frames.csv.zst", None, REVIEWS),
    ("pzstd.csv.zst", None, REVIEWS),
    ("node.json", None, NODE),
    ("node_utf16.jsonl", None, NODE),
    ("excel_semicolon_cp1252.csv", "cp1252", GERMAN),
    ("semicolon_cp1252.csv", "cp1252", GERMAN),
    ("iconv_cp932.csv", "cp932", JAPANESE),
    ("iconv_euc_jp.csv", "euc_jp", PLAIN),
    ("iconv_iso2022_jp.csv", "iso2022_jp", PLAIN),
    ("iconv_gb18030.csv", "gb18030", JAPANESE),
    ("iconv_utf16.csv", None, JAPANESE),
    ("iconv_utf16be_no_mark.csv", "utf-16", JAPANESE),
    ("iconv_utf16le_tabs.tsv", None, [["1", "plain", "2"]]),
    ("notepad_cp1252.txt", "cp1252", [["erste Zeile – ä"], ["zweite, Zeile"]]),
]


def test_every_file_is_read() -> None:
    """No file lies there for nothing; other formats have folders of their own."""
    assert {name for name, *_ in CASES} == {path.name for path in FILES.iterdir() if path.is_file()} - {"README.md"}


@pytest.mark.parametrize(("name", "encoding", "cells"), CASES, ids=[case[0] for case in CASES])
def test_a_file_of_another_program(name: str, encoding: str | None, cells: Sequence[Sequence[Any]]) -> None:
    """Its cells are what the program meant, and a row's own bytes stand in the output."""
    key, formats = parse_inbox_key(f"inbox/r/{name}"), FileFormats()
    source = Bytes((FILES / name).read_bytes(), name, block=7)
    reader = formats.reader(key, Input(encoding=encoding), NEW)
    rows = list(rows_in(reader, source, Cursor()))
    assert [list(row.cells.values()) for row in rows] == cells
    columns = [Column(column) for column in reader.columns or []]
    output = formats.writer(reader, key, Output(compression="none"), NEW, columns)
    written = Collected()
    with output.part(written, None) as part:
        for row in rows:
            part.add([StoredRow(row.number, row.raw, row.error, row.exact)], [by_number(row)])
    for row in rows:
        text_encoding = encoding_of(getattr(reader, "inner", reader))
        own = row.exact or encode(row.raw.removesuffix("}"), text_encoding)
        assert key.extension == "txt" or own in written.body


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("excel_semicolon_cp1252.csv", "looks like cp1252 (Western European, Windows)"),
        ("semicolon_cp1252.csv", "looks like cp1252 (Western European, Windows)"),
        ("notepad_cp1252.txt", "looks like cp1252 (Western European, Windows)"),
        ("iconv_cp932.csv", "looks like cp932 (Japanese, Windows)"),
        ("iconv_euc_jp.csv", "looks like euc_jp (Japanese, Unix)"),
        ("iconv_gb18030.csv", "looks like gb18030 (Chinese)"),
        ("iconv_iso2022_jp.csv", "an ISO-2022-JP escape sequence"),
        ("iconv_utf16be_no_mark.csv", "looks like utf-16-be"),
    ],
)
def test_without_its_encoding_it_is_reported(name: str, told: str) -> None:
    """A file that is not UTF-8, and whose recipe says nothing, is refused with the encoding that it is in."""
    reader = FileFormats().reader(parse_inbox_key(f"inbox/r/{name}"), Input(), NEW)
    with pytest.raises(UploadRejected) as caught:
        list(rows_in(reader, Bytes((FILES / name).read_bytes(), name), Cursor()))
    assert told in str(caught.value)
