"""Small files of each format, and what happens to files: bytes that change, go, come twice, or end too early."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
from functools import cache

import pyarrow as pa
import zstandard
from pyarrow import feather
from pyarrow import parquet as pq

from tests.formats.tables import TEXTS, csv_file, jsonl_file, rows_of, xlsx_file
from tests.formats.xlsb import xlsb_file
from tests.project import ROOT

NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF]
PIECES = [
    b'"',
    b",",
    b"\n",
    b"\r",
    b"{",
    b"}",
    b"[",
    b"]",
    b"<",
    b"&",
    b"\0",
    b"\xff",
    b"'",
    b";",
    b"\t",
    b"1e999",
    b"null",
]


@cache
def seeds() -> dict[str, list[bytes]]:
    """Return files of each format, by the ending of their name."""
    rows = rows_of(12)
    office = ROOT / "tests/files/office"
    csv, lines, table = csv_file(rows), jsonl_file(rows), _table()
    return {
        "csv": [csv, csv_file(rows, ";"), csv_file(rows, encoding="utf-16")],
        "tsv": [csv_file(rows, "\t")],
        "jsonl": [lines],
        "json": [
            b"[" + lines.strip().replace(b"\n", b",\n") + b"]",
            b'{"data": {"items": [' + lines.split(b"\n")[0] + b"]}}",
        ],
        "txt": ["\n".join(TEXTS).encode(), csv_file(rows, "\t")],
        "parquet": [_parquet(table, compression) for compression in ("none", "snappy", "zstd", "gzip")],
        "arrow": [
            _arrow(table, codec, is_file=is_file)
            for codec in ("uncompressed", "lz4", "zstd")
            for is_file in (True, False)
        ],
        "xlsx": [xlsx_file(rows), _stored(xlsx_file(rows)), (office / "xlsxwriter.xlsx").read_bytes()],
        "xls": [(office / "orders.xls").read_bytes(), (office / "libreoffice.xls").read_bytes()],
        "ods": [(office / "orders.ods").read_bytes(), _stored((office / "orders.ods").read_bytes())],
        "xlsb": [xlsb_file([["nr", "text"], [1, "late"], [2.5, None]]), _stored(xlsb_file([["nr"], [1], [True]]))],
        "zip": [
            _zip([("a.csv", csv)]),
            _zip([("a.csv", csv), ("b.csv", csv)]),
            _zip([("a.jsonl", lines), ("b.jsonl", lines)]),
        ],
        "csv.gz": [gzip.compress(csv)],
        "csv.zst": [zstandard.compress(csv)],
    }


def mutated(name: str, seed: int, number: int) -> bytes:
    """Return one mutation: the same for the same numbers."""
    chance = random.Random(f"{name} {seed} {number}")
    body = bytearray(chance.choice(seeds()[name]))
    for _ in range(chance.choice((1, 1, 1, 1, 2, 3))):
        _mutate(body, chance)
    return bytes(body)


def _mutate(body: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(body) + 1)
    length = min(chance.choice((1, 1, 2, 4, 8, 64, 500)), len(body) - at)
    match chance.randrange(8):
        case 0 if at < len(body):
            body[at] ^= 1 << chance.randrange(8)
        case 1:
            body[at : at + length] = chance.randbytes(length)
        case 2:
            del body[at : at + length]
        case 3:
            body[at:at] = body[at : at + length] * chance.choice((1, 1, 2, 50))
        case 4:
            width = chance.choice((1, 2, 4, 8))
            number = chance.choice(NUMBERS) & ((1 << 8 * width) - 1)
            body[at : at + width] = number.to_bytes(width, chance.choice(("little", "big")))
        case 5:
            body[at:at] = chance.choice(PIECES)
        case 6 if chance.random() < 0.2:
            del body[at:]
        case _ if len(body) > 8 and chance.random() < 0.2:
            near = max(0, len(body) - chance.randrange(1, 200))  # directories and footers are at the end
            struct.pack_into("<I", body, min(near, len(body) - 4), chance.choice(NUMBERS) & 0xFFFFFFFF)


def _table() -> pa.Table:
    return pa.table(
        {
            "id": list(range(40)),
            "text": [TEXTS[number % len(TEXTS)] for number in range(40)],
            "kind": pa.array([f"k{number % 3}" for number in range(40)]).dictionary_encode(),
            "tags": [[f"t{place}" for place in range(number % 4)] for number in range(40)],
            "some": [{"x": number, "y": None} for number in range(40)],
            "at": pa.array(range(40), pa.timestamp("us", "UTC")),
        }
    )


def _parquet(table: pa.Table, compression: str) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, compression=compression, row_group_size=15)
    return out.getvalue()


def _arrow(table: pa.Table, codec: str, *, is_file: bool) -> bytes:
    out = io.BytesIO()
    if is_file:
        feather.write_feather(table, out, compression=codec, chunksize=15)
        return out.getvalue()
    options = pa.ipc.IpcWriteOptions(compression=None if codec == "uncompressed" else codec)
    with pa.ipc.new_stream(out, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=15)
    return out.getvalue()


def _stored(body: bytes) -> bytes:
    """Return an archive whose members are not compressed, so that mutations reach into them."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return out.getvalue()


def _zip(files: list[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()
