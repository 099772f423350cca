"""Read a file as a split does, and write its output as a job's end does."""

from __future__ import annotations

import traceback

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.answers.columns import Column
from batchdrop.errors import BatchdropError
from batchdrop.job.upload import parse_inbox_key
from batchdrop.recipe.recipe import Input, Output
from batchdrop.requests.row import Cursor, Row
from tests.formats.office import Bytes, answer, assembled, kept_rows, part_of
from tests.formats.reading import NEW, rows_in

MOST_ROWS = 500  # written to an output


def finding(name: str, body: bytes) -> tuple[int, str]:
    """Return how many rows a file has, and what is wrong with us; nothing if it is read, or refused with its name."""
    try:
        return _rows(f"f.{name}", body), ""
    except BatchdropError as refusal:
        return 0, "" if str(refusal).startswith("f.") else f"the refusal does not name the file: {refusal}"
    except MemoryError:
        return 0, "MemoryError"
    except Exception as error:  # noqa: BLE001 - it is the finding
        place = traceback.extract_tb(error.__traceback__)[-1]
        return 0, f"{type(error).__name__} at {place.filename.rpartition('/')[2]}:{place.lineno}: {str(error)[:200]}"


def _rows(filename: str, body: bytes) -> int:
    formats, key = FileFormats(), parse_inbox_key(f"inbox/r/{filename}")
    reader = formats.reader(key, Input(), NEW)
    count, kept = 0, list[Row]()
    for row in rows_in(reader, Bytes(body, filename), Cursor()):
        count += 1
        if len(kept) < MOST_ROWS:
            kept.append(row)
    if kept:
        again = formats.reader(key, Input(), NEW, reader.header)
        columns = [Column(name) for name in reader.columns or []]
        writer = formats.writer(again, key, Output(compression="none"), NEW, columns)
        sidecar = kept_rows(again, kept) if again.sidecar else None
        assembled(writer, [part_of(writer, kept, answer("good"), sidecar)])
        assert next(iter(rows_in(again, Bytes(body, filename), kept[-1].start))).raw == kept[-1].raw
    return count
