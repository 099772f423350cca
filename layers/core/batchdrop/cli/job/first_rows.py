"""Read the rows of an output in any format: the first ones as text, or all of them as a stream."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
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
Read = tuple[list[str], Iterator[list[Any]]]  # likewise, while they are read


def first_rows(output: Path, count: int) -> Rows:
    """Return the columns and the first `count` rows of a batchdrop output."""
    with output_rows(output, peeks=count) as (columns, rows):
        return columns, [[_shown(cell) for cell in row] for row in itertools.islice(rows, count)]


@contextmanager
def output_rows(
    output: Path, *, peeks: int, has_header: bool = True
) -> Iterator[tuple[list[str], Iterator[list[Any]]]]:
    """Open a batchdrop output: yield its columns, and its rows as cells in the columns' order, read as they are used.

    Formats whose rows name their own columns have those of the first `peeks` rows. Without a header (`has_header`), the
    columns of a delimited file have no names.
    """
    name, _, compression = output.name.partition(".")[2].partition(".")
    match name:
        case "parquet":
            yield _of_objects(_parquet(output), peeks)
        case "arrow" | "arrows" | "feather" | "ipc":
            yield _of_objects(_arrow(output), peeks)
        case "xlsx" | "xlsm":
            yield _of_table(_xlsx(output), peeks)
        case "jsonl":
            with _text(output, compression) as file:
                yield _of_objects((json.loads(line) for line in file if line.strip()), peeks)
        case "json":
            with _text(output, compression) as file:
                yield _of_objects((json.loads(text) for text in _elements(file)), peeks)
        case _:
            with _text(output, compression) as file:
                lines = list(itertools.islice(file, SAMPLE_LINES))
                layout = find_layout(lines, dialect=Dialect(), named="\t" if name == "tsv" else None, titles=has_header)
                skipped = layout.skip if has_header else 0
                records = layout.dialect.reader(itertools.chain(lines[skipped:], file))
                yield _of_table(records, peeks, has_header=has_header)


def _elements(file: IO[str]) -> Iterator[bytes]:
    start = file.read(LOOKED_AT).encode()
    shape = shape_of(start, is_whole=len(start) < LOOKED_AT, path=None, filename="the output")
    blocks = itertools.chain((start,), (text.encode() for text in iter(partial(file.read, LOOKED_AT), "")))
    return (element.text for element in Elements(blocks, Cursor(), shape, filename="the output"))


def _of_table(rows: Iterable[Sequence[Any]], peeks: int, *, has_header: bool = True) -> Read:
    rows = iter(rows)
    peeked = [list(row) for row in itertools.islice(rows, peeks + 1)]
    width = max(map(len, peeked), default=0)  # a workbook's rows end at their last cell
    header = _filled(peeked.pop(0), width) if has_header and peeked else [""] * width
    records = (_filled(row, width) for row in itertools.chain(peeked, rows))
    return ["" if cell is None else str(cell) for cell in header], records


def _filled(cells: Sequence[Any], width: int) -> list[Any]:
    return [*cells[:width], *[""] * (width - len(cells))]


def _of_objects(objects: Iterator[dict[str, Any]], peeks: int) -> Read:
    peeked = list(itertools.islice(objects, peeks))
    columns = list(dict.fromkeys(name for row in peeked for name in row))
    return columns, ([row.get(name) for name in columns] for row in itertools.chain(peeked, objects))


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
