"""Find the forgotten rows of a job in its own files, and the keys of their answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field

import msgspec

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.answer_store.key import Keys
from batchdrop.answers import custom_id
from batchdrop.answers.columns import ROW
from batchdrop.answers.result_line import Remembered
from batchdrop.cli.forget.wanted import Wanted
from batchdrop.job.job_files import reader_of
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest
from batchdrop.job.remembering import policy_of, remembers
from batchdrop.job.stored_lines import whole_lines
from batchdrop.ports import ObjectMissing, ObjectStore
from batchdrop.requests.row import StoredRow
from batchdrop.requests.stored_request import stored_request


@dataclass(slots=True)
class FoundRows:
    """How many rows of a job are forgotten, and the keys of their answers."""

    rows: int = 0
    keys: set[bytes] = field(default_factory=set)


class _Pin(msgspec.Struct):
    custom_id: str
    remembered: Remembered = Remembered(0)


class _Numbered(msgspec.Struct):
    row: int = msgspec.field(name=ROW, default=0)


_ROW = msgspec.json.Decoder(StoredRow)


def found_rows(store: ObjectStore, manifest: Manifest, wanted: Wanted, secret: bytes | None) -> FoundRows:
    """Return the forgotten rows of a job. `secret` is that of the recipe's store; without one, no answer has a key."""
    found, requests = FoundRows(), defaultdict[int, set[int]](set)
    reader = reader_of(manifest, FileFormats())
    is_retry = bool(manifest.upload.rows_key)
    for section in manifest.sections:
        for index, line in enumerate(_lines(store, JobKeys(manifest.upload.job_id).rows(section.shard))):
            row = _ROW.decode(line)
            number = _number(row) if is_retry else row.row
            if wanted.has_row(number, reader.cells(row.raw)):
                found.rows += 1
                shard = section.shard if row.same_shard is None else row.same_shard
                requests[shard].add(index if row.same_as is None else row.same_as)
    if secret is not None and remembers(manifest) and not wanted.is_whole:
        keys = Keys(secret, policy_of(manifest))
        for shard, indexes in requests.items():
            found.keys |= _keys_of(store, manifest, shard, indexes, keys)
    return found


def _number(row: StoredRow) -> int:
    """Return the number that a retried row has in the job's file; its line names it."""
    with suppress(msgspec.DecodeError, msgspec.ValidationError):
        return msgspec.json.decode(row.raw, type=_Numbered).row
    return 0


def _keys_of(store: ObjectStore, manifest: Manifest, shard: int, indexes: set[int], keys: Keys) -> set[bytes]:
    """Return the keys of some requests of a shard: of those that it sent, and of those that it remembers."""
    of_job, found = JobKeys(manifest.upload.job_id), set[bytes]()
    for line in _lines(store, of_job.requests(shard)):
        request = stored_request(line)
        parsed = custom_id.parse(request.custom_id) if request else None
        if request is not None and parsed is not None and parsed.index in indexes:
            found.add(keys.of(bytes(request.params)))
    for line in _lines(store, of_job.remembered(shard)):
        pin = msgspec.json.decode(line, type=_Pin)
        parsed = custom_id.parse(pin.custom_id)
        if parsed is not None and parsed.index in indexes and pin.remembered.key:
            found.add(bytes.fromhex(pin.remembered.key))
    return found


def _lines(store: ObjectStore, key: str) -> Iterator[bytes]:
    try:
        with closing(store.stream(key)) as blocks:
            yield from whole_lines(blocks)
    except ObjectMissing:
        return
