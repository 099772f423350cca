"""Read the first rows of an output in any format, as text."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import json
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import IO, Any

from batchdrop.adapters.formats.csv.dialect import Dialect
from batchdrop.adapters.formats.csv.layout import find_layout
from batchdrop.adapters.formats.json.json_elements import Elements
from batchdrop.adapters.formats.json.json_shape import shape_of
from batchdrop.adapters.formats.text.encodings import UTF_8
from batchdrop.adapters.formats.text.guesses import likely_encodings
from batchdrop.requests.row import Cursor

SAMPLE_LINES = 100
LOOKED_AT = 64 * 1024  # bytes in which to detect the encoding

Rows = tuple[list[str], list[list[str]]]  # columns, and the rows' cells


def first_rows(output: Path, count: int) -> Rows:
    """Return the columns and the first `count` rows of a batchdrop output."""
    name, _, compression = output.name.partition(".")[2].partition(".")
    match name:
        case "parquet":
            return _of_objects(itertools.islice(_parquet(output), count))
        case "arrow" | "arrows" | "feather" | "ipc":
            return _of_objects(itertools.islice(_arrow(output), count))
        case "xlsx" | "xlsm":
            return _of_table(_xlsx(output), count)
        case "jsonl":
            with _text(output, compression) as file:
                return _of_objects(json.loads(line) for line in itertools.islice(file, count))
        case "json":
            with _text(output, compression) as file:
                return _of_objects(json.loads(text) for text in itertools.islice(_elements(file), count))
        case _:
            with _text(output, compression) as file:
                lines = list(itertools.islice(file, SAMPLE_LINES))
                layout = find_layout(lines, dialect=Dialect(), named="\t" if name == "tsv" else None, titles=True)
                return _of_table(layout.dialect.reader(itertools.chain(lines[layout.skip :], file)), count)


def _elements(file: IO[str]) -> Iterator[bytes]:
    start = file.read(LOOKED_AT).encode()
    shape = shape_of(start, is_whole=len(start) < LOOKED_AT, path=None, filename="the output")
    blocks = itertools.chain((start,), (text.encode() for text in iter(partial(file.read, LOOKED_AT), "")))
    return (element.text for element in Elements(blocks, Cursor(), shape, filename="the output"))


def _of_table(rows: Iterable[Iterable[Any]], count: int) -> Rows:
    records = [[_shown(cell) for cell in row] for row in itertools.islice(rows, count + 1)]
    width = max(map(len, records), default=0)  # a workbook's rows end at their last cell
    header, *rest = [record + [""] * (width - len(record)) for record in records] or [[]]
    return header, rest


def _of_objects(objects: Iterable[dict[str, Any]]) -> Rows:
    rows = list(objects)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return columns, [[_shown(row.get(name)) for name in columns] for row in rows]


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)


def _text(output: Path, compression: str) -> AbstractContextManager[IO[str]]:
    file = _opened(output, compression)
    return io.TextIOWrapper(file, encoding=_encoding(output, compression), errors="replace", newline="")


def _opened(output: Path, compression: str) -> Any:
    match compression:
        case "gz":
            return gzip.open(output)
        case "bz2":
            return bz2.open(output)
        case "zst":
            import zstandard

            return zstandard.open(output, "rb")
        case _:
            return output.open("rb")


def _encoding(output: Path, compression: str) -> str:
    """Return the output's encoding, which is the input's: by byte order mark, UTF-8 if possible, else the likeliest."""
    with _opened(output, compression) as file:
        start = file.read(LOOKED_AT)
    if start[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16"
    lines = start.splitlines(keepends=True)
    sample = b"".join(line for line in (lines[:-1] or lines) if not line.isascii())
    try:
        sample.decode()
    except UnicodeDecodeError:
        return next(iter(likely_encodings(sample, UTF_8)), "utf-8")
    return "utf-8-sig"


def _parquet(output: Path) -> Iterator[dict[str, Any]]:
    from pyarrow import parquet

    with parquet.ParquetFile(output) as file:
        for batch in file.iter_batches(batch_size=64):
            yield from batch.to_pylist()


def _arrow(output: Path) -> Iterator[dict[str, Any]]:
    from pyarrow import ArrowInvalid, ipc

    try:
        file = ipc.open_file(output)
        batches = map(file.get_batch, range(file.num_record_batches))
    except ArrowInvalid:  # it is a stream, as the upload was
        batches = ipc.open_stream(output)
    for batch in batches:
        for start in range(0, batch.num_rows, 64):
            yield from batch.slice(start, 64).to_pylist()


def _xlsx(output: Path) -> Iterator[tuple[Any, ...]]:
    import openpyxl

    workbook = openpyxl.load_workbook(output, read_only=True)
    yield from workbook.worksheets[0].iter_rows(values_only=True)
    workbook.close()
