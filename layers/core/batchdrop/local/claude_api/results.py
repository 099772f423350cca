"""Download results: JSONL in arbitrary order, complete or damaged by a fault."""

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from batchdrop.local.claude_api.batch_body import ID_WIDTH
from batchdrop.local.claude_api.batches import Batch
from batchdrop.local.claude_api.faults import InjectedFault
from batchdrop.local.claude_api.storage import BLOCK, SliceReader

IDS_FILE = "ids.bin"


class ConnectionDropped(Exception):
    """Raised in a response body to drop the connection."""


def result_blocks(batch: Batch, now: float, fault: InjectedFault | None) -> Iterator[bytes]:
    """Yield the results in pieces; raises ConnectionDropped if the fault says so."""
    processed = batch.ready.result()
    done = batch.done(now)
    if fault is None:
        yield from processed.results.blocks(done)
        yield from joined(_cut_off_lines(batch, done))
        return
    lines = _chained(processed.results.lines(done), _cut_off_lines(batch, done))
    yield from joined(_spoilt(lines, batch, fault))


def joined(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines in larger pieces; an error is raised after all lines before it."""
    piece = bytearray()
    lines = iter(lines)
    while True:
        try:
            line = next(lines, None)
        except ConnectionDropped:
            yield bytes(piece)
            raise
        if line is None:
            break
        piece += line
        if len(piece) >= BLOCK:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def _chained(first: Iterable[bytes], second: Iterable[bytes]) -> Iterator[bytes]:
    yield from first
    yield from second


def _cut_off_lines(batch: Batch, done: int) -> Iterator[bytes]:
    """Yield the lines of requests that were canceled or expired before they were processed."""
    if done == batch.count:
        return
    result = {"type": batch.cut_fate()}
    ids = SliceReader(batch.folder / IDS_FILE)
    try:
        for place in batch.ready.result().order[done:]:
            custom_id = ids.read(place * ID_WIDTH, ID_WIDTH).rstrip().decode()
            yield msgspec.json.encode({"custom_id": custom_id, "result": result}) + b"\n"
    finally:
        ids.close()


def _spoilt(lines: Iterator[bytes], batch: Batch, fault: InjectedFault) -> Iterator[bytes]:
    touched = fault.lines
    keep = max(0, batch.count - touched)
    match fault.kind:
        case "results_short":
            yield from islice(lines, keep)
        case "results_cut_mid_line":
            yield from islice(lines, keep)
            yield from (line[: len(line) // 2] for line in islice(lines, 1))
        case "results_dropped":
            yield from islice(lines, int(batch.count * fault.fraction))
            yield from (line[: len(line) // 2] for line in islice(lines, 1))
            raise ConnectionDropped
        case "results_doubled":
            twice = list(islice(lines, touched))
            yield from _chained(twice, lines)
            yield from twice
        case "results_unknown_ids":
            yield from _foreign_lines(touched)
            yield from lines
        case _:
            yield from (_odd_line(line, fault.kind) for line in islice(lines, touched))
            yield from lines


def _foreign_lines(count: int) -> Iterator[bytes]:
    error = {"type": "error", "error": {"type": "api_error", "message": "Internal server error"}}
    for number in range(count):
        line = {"custom_id": f"nobody-asked-{number}", "result": {"type": "errored", "error": error}}
        yield msgspec.json.encode(line) + b"\n"


def _odd_line(line: bytes, kind: str) -> bytes:
    """Return the line with an unknown result type or error type."""
    known = msgspec.json.decode(line)
    if kind == "results_unknown_type":
        known["result"] = {"type": "postponed"}
    else:
        error = {"type": "quota_haze_error", "message": "An error type that no client knows"}
        known["result"] = {"type": "errored", "error": {"type": "error", "error": error}}
    return msgspec.json.encode(known) + b"\n"
