"""Choose the rows of a retry from a job's failed.jsonl. Rows that are answered, or may be paid, are not in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import msgspec

from batchdrop.answers.columns import ROW, STATUS
from batchdrop.errors import RetryRefused
from batchdrop.job.stored_lines import whole_lines
from batchdrop.ports import ObjectStore
from batchdrop.recipe.recipe import Recipe

UNPAID = frozenset({"failed", "canceled", "over_budget", "not_sent"})  # what `--status failed` stands for
NEVER_SENT = frozenset({"rejected", "skipped"})  # sent again only if they are named
NAMED = 5  # rows that a message names


@dataclass(frozen=True, slots=True)
class Wanted:
    """The rows to send again: with one of these statuses, or these numbers; by default all that were sent.

    `lines` are lines of failed.jsonl that the user has changed. `recipe` comes with the content of its schema file.
    `again`: also rows whose answer was paid in the last retry, with the same recipe.
    """

    statuses: frozenset[str] = frozenset()
    rows: frozenset[int] = frozenset()
    lines: Iterable[bytes] | None = None
    recipe: tuple[Recipe, Any] | None = None
    again: bool = False


class _Row(msgspec.Struct):
    row: int = msgspec.field(name=ROW, default=0)
    status: str = msgspec.field(name=STATUS, default="")


_ROW = msgspec.json.Decoder(_Row)


def stored_rows(key: str, store: ObjectStore) -> Iterator[bytes]:
    """Yield the lines of a file of rows."""
    with closing(store.stream(key)) as blocks:
        yield from filter(bytes.strip, whole_lines(blocks))


def sent_rows(lines: Iterable[bytes]) -> dict[int, bytes]:
    """Return the rows that a retry sent, each with the digest of its line."""
    return {_ROW.decode(line).row: line_digest(line) for line in lines}


def line_digest(line: bytes) -> bytes:
    """Return a short digest of a row's line."""
    return hashlib.blake2b(line.rstrip(b"\n"), digest_size=8).digest()


def chosen_rows(wanted: Wanted, base: str, failed: Iterable[bytes], sent: Mapping[int, bytes]) -> Iterator[bytes]:
    """Yield the lines to send, in the order of their rows.

    `base` is the version whose failed.jsonl has the lines `failed`. `sent` has the rows that the retry before this one
    sent with the same recipe, each with the digest of its line: if their answers were paid, a repeated command leaves
    them out. Raises RetryRefused for unknown rows, or if no row is left.
    """
    asked, skipped, found = set(wanted.rows), 0, 0
    changed = _changed(wanted.lines)
    seen: set[str] = set()
    for line in failed:
        known = _ROW.decode(line)
        if not known.row:
            message = f"failed.jsonl of {base} has no row numbers: an older release wrote it. Drop it as a new file"
            raise RetryRefused(message)
        seen.add(known.status)
        if changed is not None:
            new = changed.pop(known.row, None)
            if new is None:
                continue
            line = new  # noqa: PLW2901 -- the user's own text of the row
        elif known.row in asked:
            asked.discard(known.row)
        elif wanted.rows or not _is_wanted(known.status, wanted.statuses):
            continue
        was_sent = known.row in sent and (changed is None or line_digest(line) == sent[known.row])
        if was_sent and known.status not in UNPAID and not wanted.again:
            skipped += 1
            continue
        found += 1
        yield line
    left = sorted(asked | (changed or {}).keys())
    if left:
        raise RetryRefused(_unknown_rows(left, base))
    if not found:
        raise RetryRefused(_nothing(wanted, base, skipped, seen))


def _is_wanted(status: str, statuses: frozenset[str]) -> bool:
    if not statuses:
        return status not in NEVER_SENT
    return status in statuses or ("failed" in statuses and status in UNPAID)


def _changed(lines: Iterable[bytes] | None) -> dict[int, bytes] | None:
    """Return the user's lines by row. Raises RetryRefused for a line without a number, or a second line of a row."""
    if lines is None:
        return None
    found: dict[int, bytes] = {}
    for place, line in enumerate(filter(bytes.strip, lines), 1):
        try:
            row = _ROW.decode(line).row
        except msgspec.DecodeError as error:
            message = f"line {place} is not a JSON object with a row number: {error}"
            raise RetryRefused(message) from error
        if not row:
            message = f"line {place} has no `{ROW}`, the row's number in the file; keep it as failed.jsonl has it"
            raise RetryRefused(message)
        if row in found:
            message = f"line {place}: row {row} stands twice; keep one of the lines"
            raise RetryRefused(message)
        found[row] = line if STATUS.encode() in line else _as_failed(line)
    return found


def _as_failed(line: bytes) -> bytes:
    """Return a line with a status, so that its number is not taken for a column of the file."""
    return msgspec.json.encode(msgspec.json.decode(line, type=dict[str, msgspec.Raw]) | {STATUS: msgspec.Raw(b'""')})


def _unknown_rows(rows: list[int], base: str) -> str:
    named = ", ".join(map(str, rows[:NAMED])) + (f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else "")
    return (
        f"not in failed.jsonl of {base}: row {named}. Such a row is answered already, may be paid, or does not exist; "
        "leave it out"
    )


def _nothing(wanted: Wanted, base: str, skipped: int, seen: set[str]) -> str:
    if skipped:
        return (
            f"{base} has sent these {skipped:,} rows with the same recipe, and their answers are paid. Change the "
            "recipe and name it with --recipe, or send them once more with --again"
        )
    if not seen:
        return f"{base} has no rows to send again: failed.jsonl is empty"
    has = ", ".join(sorted(seen))
    if wanted.statuses:
        return f"{base} has no rows of status {', '.join(sorted(wanted.statuses))}; failed.jsonl has: {has}"
    return f"no row of {base} was sent without a usable answer; failed.jsonl has: {has}. Name them with --status"
