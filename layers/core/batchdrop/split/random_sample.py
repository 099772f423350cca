"""Draw a random sample from the whole file: count its rows, then read the drawn ones. Memory does not grow."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from hashlib import blake2b

import msgspec

from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Draw, Manifest
from batchdrop.job.remembering import recipe_digest
from batchdrop.job.sample import SAMPLE_SHARD
from batchdrop.job.stored_lines import line_blocks
from batchdrop.ports import ObjectStore
from batchdrop.requests.dedupe import Lender
from batchdrop.requests.row import Row, StoredRow
from batchdrop.split.out_of_time import OutOfTime


def counted(blocks: Iterator[list[Row]], draw: Draw, out_of_time: Callable[[], bool]) -> bool:
    """Count the rows that can be read, from the draw's cursor on; return whether the file ended.

    If the time ends first, the cursor is where to go on.
    """
    for block in blocks:
        if not block:
            continue
        draw.cursor = block[0].start
        if out_of_time():
            return False
        draw.readable += sum(row.error is None for row in block)
    draw.cursor = None
    return True


def drawn_places(manifest: Manifest, draw: Draw, *, most: int) -> list[int]:
    """Return which of the readable rows are the sample, from 0, in the file's order: at most `most`.

    The same file and recipe give the same rows.
    """
    sample = manifest.recipe.sampled if manifest.recipe else None
    assert sample is not None, "only a job with a sample draws one"
    seed = blake2b(f"{recipe_digest(manifest)} {manifest.upload.etag}".encode(), digest_size=8).digest()
    most = min(sample.rows, draw.readable, most)
    return sorted(random.Random(int.from_bytes(seed)).sample(range(draw.readable), most))


def only(
    blocks: Iterator[list[Row]], places: Sequence[int], out_of_time: Callable[[], bool]
) -> Generator[list[Row], None, None]:
    """Yield the rows at these places among the readable ones. Raises OutOfTime."""
    left, seen = iter(places), 0
    wanted = next(left, None)
    for block in blocks:
        if wanted is None:
            return
        if out_of_time():
            raise OutOfTime
        readable = [row for row in block if row.error is None]
        found = []
        while wanted is not None and wanted < seen + len(readable):
            found.append(readable[wanted - seen])
            wanted = next(left, None)
        seen += len(readable)
        if found:
            yield found


class DrawnRows:
    """The rows of a sample by their numbers: 100 bytes for each of at most 10,000.

    A row with the same request as another one of the sample gets that one's answer.
    """

    def __init__(self, manifest: Manifest, store: ObjectStore) -> None:
        self._lenders: dict[int, Lender] = {}
        self._own: set[int] = set()
        decoder, first = msgspec.json.Decoder(StoredRow), 0
        with closing(store.stream(JobKeys(manifest.upload.job_id).rows(SAMPLE_SHARD))) as blocks:
            for block in line_blocks(blocks):
                rows = decoder.decode_lines(block)
                for index, row in enumerate(rows, first):
                    if row.error is None:
                        self._lenders[row.row] = Lender(SAMPLE_SHARD, index if row.same_as is None else row.same_as)
                    if row.error is None and row.same_as is None:
                        self._own.add(row.row)
                first += len(rows)

    def lenders(self, rows: Sequence[Row]) -> list[Lender | None] | None:
        """Return for each row the sample's row with its answer; None if no row is in the sample."""
        found = [self._lenders.get(row.start.rows + 1) for row in rows]
        return None if found.count(None) == len(found) else found

    def has(self, number: int) -> bool:
        """Return whether the sample has the row itself, not only another one with its request."""
        return number in self._own
