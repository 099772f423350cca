"""Every text format in every encoding and compression: the same bytes come out, and the new columns behind them."""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import zstandard
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.adapters.formats.csv.input import SPACES
from batchdrop.answers.columns import Column
from batchdrop.answers.outcome import Outcome, rejected
from batchdrop.job.upload import parse_inbox_key
from batchdrop.recipe.recipe import Input, Output
from batchdrop.requests.row import EMPTY_ROW, Cursor, Row, StoredRow
from tests.formats.reading import NEW, Bytes, Collected, answered, rows_in
from tests.formats.whole import whole_of

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": zstandard.ZstdCompressor().compress,
}
MARKED = {"utf-8-sig": "utf-8", "utf-16-le": "utf-16-le", "utf-16-be": "utf-16-be", "utf-32-le": "utf-32-le"}
NAMED = ["utf-8", "cp932", "euc_jp", "iso2022_jp", "cp1252", "latin-1", "gb18030", "koi8-r"]
TWICE = b"\x87\x90"  # a character that cp932 has twice: written again, it would be another
ALIKE = "¢£¬‖\u2212〜¥‾"  # characters that a codec writes as others
# Hypothesis tries each of 1,114,112 characters in a codec, which takes seconds; these have all that codecs differ in.
SCRIPTS = [
    range(0x180), range(0x370, 0x460), range(0x2010, 0x2070), range(0x2100, 0x2600), range(0x3000, 0x3100),
    range(0x4E00, 0x5000), range(0xAC00, 0xAC80), range(0xFF00, 0xFFA0), range(0x1F600, 0x1F640),
]  # fmt: skip
DELIMITERS = {"csv": ",", "tsv": "\t"}
ADDED = ["answer", "_status", "_error"]


@dataclass(frozen=True)
class Dropped:
    """A file as it is dropped, and the output that it must get, both before compression."""

    extension: str
    compression: str
    options: Input
    body: bytes
    output: bytes
    block: int
    cells: list[dict[str, Any]]

    @property
    def name(self) -> str:
        """Return the file's name."""
        return ".".join(filter(None, ("f", self.extension, self.compression)))


@cache
def _letters(encoding: str) -> list[str]:
    """Return characters that an encoding has, and that it reads as it writes them."""
    return [
        letter
        for letter in map(chr, chain.from_iterable(SCRIPTS))
        if letter.encode(encoding, "ignore").decode(encoding, "ignore") == letter
    ]


def _texts(encoding: str, banned: str) -> st.SearchStrategy[str]:
    without = set(f"{banned}{ALIKE}\ufeff\x1b\r")
    letters = [letter for letter in _letters(MARKED.get(encoding, encoding)) if letter not in without]
    return st.text(st.sampled_from(letters) | st.sampled_from("表あé\"',;\t=\\ "), max_size=8).map(
        lambda text: "".join(
            letter
            for letter in text.encode(encoding, "ignore").decode(encoding).removeprefix("\ufeff")
            if letter not in banned
        )
    )


@st.composite
def drops(draw: st.DrawFn) -> Dropped:
    """Return a file of any format, encoding and compression, with what its output must be."""
    extension = draw(st.sampled_from(["csv", "tsv", "jsonl", "json", "txt"]))
    encoding = draw(st.sampled_from([*MARKED, *NAMED]))
    codec = MARKED.get(encoding, encoding)
    end = draw(st.sampled_from(["\n", "\r\n"]))
    mark = "\ufeff".encode(codec) if encoding in MARKED else b""
    build = {"json": _array, "jsonl": _lines, "txt": _text_lines}.get(extension, _delimited)
    body, output, cells = build(draw, extension, encoding, codec, end)
    written_mark = b"" if codec == "utf-8" and extension.startswith("json") else mark
    return Dropped(
        extension,
        draw(st.sampled_from(list(COMPRESS))),
        Input(encoding=None if encoding in MARKED else encoding),
        mark + body,
        written_mark + output,
        draw(st.sampled_from([1, 2, 3, 7, 50, 1 << 20])),
        cells,
    )


Built = tuple[bytes, bytes, list[dict[str, Any]]]


def _delimited(draw: st.DrawFn, extension: str, encoding: str, codec: str, end: str) -> Built:
    delimiter = DELIMITERS[extension]

    def quoted(cell: str) -> str:
        doubled = cell.replace('"', '""')
        must = draw(st.booleans()) or any(char in cell for char in f'{delimiter}"\r\n')
        return f'"{doubled}"' if must else cell

    rows = draw(st.lists(st.tuples(_texts(encoding, "\x00"), _texts(encoding, "\x00")), max_size=4))
    twice = encoding == "cp932" and draw(st.booleans())
    header = f"a{delimiter}b"
    body = f"{header}{end}".encode(codec)
    output = f"{delimiter.join([header, *ADDED])}{end}".encode(codec)
    cells = []
    for number, row in enumerate(rows, start=1):
        raw = delimiter.join(map(quoted, row)).encode(codec) + (TWICE if twice and not row[1] else b"")
        raw = raw.replace(b'""' + TWICE, TWICE)
        is_last = number == len(rows) and draw(st.booleans())
        body += raw + ("" if is_last else end).encode(codec)
        named = {"a": row[0], "b": row[1] or ("≒" if twice else "")}
        is_blank = not any(cell.strip(SPACES) for cell in named.values())
        ending = ["", "", "rejected", EMPTY_ROW] if is_blank else ["", f"#{number}", "answered", ""]
        output += raw + (delimiter.join(ending) + end).encode(codec)
        cells.append({} if is_blank else named)
    return body, output, cells


def _objects(draw: st.DrawFn, encoding: str) -> list[dict[str, Any]]:
    texts = _texts(encoding, "")
    names = texts.filter(lambda name: name not in {*ADDED, "_raw"})
    values = texts | st.integers(-(10**20), 10**20) | st.none() | st.lists(texts, max_size=2)
    return draw(st.lists(st.dictionaries(names, values, max_size=3), max_size=4))


def _object_text(draw: st.DrawFn, fields: dict[str, Any], encoding: str) -> str:
    indent = draw(st.sampled_from([None, 1])) if encoding == "indented" else None
    return json.dumps(fields, ensure_ascii=draw(st.booleans()), indent=indent)


def _with_added(raw: str, number: int) -> str:
    added = f'"answer":"#{number}","_status":"answered","_error":null}}'
    return (raw[:-1] + "," if raw != "{}" else "{") + added


def _lines(draw: st.DrawFn, extension: str, encoding: str, codec: str, end: str) -> Built:
    objects = _objects(draw, encoding)
    body = output = ""
    for number, fields in enumerate(objects, start=1):
        raw = _object_text(draw, fields, "")
        body += draw(st.sampled_from(["", " ", end])) + raw + draw(st.sampled_from(["", "  "])) + end
        output += _with_added(raw, number) + "\n"
    return body.encode(codec), output.encode(codec), objects


def _array(draw: st.DrawFn, extension: str, encoding: str, codec: str, end: str) -> Built:
    objects = _objects(draw, encoding)
    raws = [_object_text(draw, fields, "indented") for fields in objects]
    spaces = st.sampled_from(["", " ", end, f" {end}\t"])
    body = draw(spaces) + "[" + draw(spaces)
    for number, raw in enumerate(raws):
        body += (draw(spaces) + "," + draw(spaces) if number else "") + raw
    body += draw(spaces) + "]" + draw(spaces)
    output = "[\n" + ",\n".join(_with_added(raw, number) for number, raw in enumerate(raws, start=1)) + "\n]\n"
    return body.encode(codec), output.encode(codec), objects


def _text_lines(draw: st.DrawFn, extension: str, encoding: str, codec: str, end: str) -> Built:
    texts = draw(st.lists(_texts(encoding, "\n").filter(lambda text: bool(text) and not text.isspace()), max_size=4))
    body = output = ""
    for number, text in enumerate(texts, start=1):
        body += text + end + draw(st.sampled_from(["", end, f" \t{end}"]))
        doubled = text.replace('"', '""')
        output += (f'"{doubled}"' if set(',"\r\n') & set(text) else text) + f",#{number},answered,\n"
    output = f"{','.join(['text', *ADDED])}\n{output}"
    return body.encode(codec), output.encode(codec), [{"text": text} for text in texts]


def _outcome(row: Row) -> Outcome:
    assert row.error in {None, EMPTY_ROW}, row.error
    return rejected(row.error) if row.error else answered(f"#{row.number}")


@given(drops())
def test_the_same_bytes_and_the_new_columns(drop: Dropped) -> None:
    """Rows are read as written, go on at every cursor, and their bytes stand in the output as in the file."""
    key, formats = parse_inbox_key(f"inbox/r/{drop.name}"), FileFormats()
    source = Bytes(COMPRESS[drop.compression](drop.body), drop.name, block=drop.block)
    reader = formats.reader(key, drop.options, NEW)
    rows = list(rows_in(reader, source, Cursor()))
    assert [row.cells for row in rows] == drop.cells
    for row in rows:
        again = formats.reader(key, drop.options, NEW, reader.header)
        assert list(rows_in(again, source, row.start)) == rows[row.number - 1 :]
    again = formats.reader(key, drop.options, NEW, reader.header)
    output = formats.writer(again, key, Output(), NEW, [Column(name) for name in reader.columns or []])
    written = whole_of(output, [_part(output, rows[:1]), _part(output, rows[1:])])
    assert output.extension == ".".join(
        filter(None, ("csv" if drop.extension == "txt" else drop.extension, drop.compression))
    )
    assert _decompressed(written, drop) == drop.output


def _part(output: Any, rows: list[Row]) -> bytes:
    written = Collected()
    with output.part(written, None) as part:
        for row in rows:
            part.add([StoredRow(row.number, row.raw, row.error, row.exact)], [_outcome(row)])
    return written.body


def _decompressed(body: bytes, drop: Dropped) -> bytes:
    if not drop.compression:
        return body
    from batchdrop.adapters.formats.compression.compression import decompressed

    return b"".join(decompressed(Bytes(body), drop.compression).blocks())  # type: ignore[arg-type] # drawn from the kinds
