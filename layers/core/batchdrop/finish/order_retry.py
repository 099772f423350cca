"""Order a retry: choose rows of a job's failed.jsonl, and write them beside the order of the job's next version."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import IO, Any

import msgspec

from batchdrop.answers.shape import answer_shape
from batchdrop.errors import RetryRefused
from batchdrop.finish.chosen_rows import Wanted, chosen_rows, sent_rows, stored_rows
from batchdrop.job.expiry import refuse_if_expired
from batchdrop.job.job_files import read_manifest, shape_of
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, UploadRecord
from batchdrop.job.retry import RetryOrder, claim, read_order, versions
from batchdrop.job.upload import parse_inbox_key, results_prefix
from batchdrop.job.versions import first_version, version_of, with_version
from batchdrop.ports import ObjectMissing, ObjectStore
from batchdrop.recipe.recipe import Recipe

BLOCK = 1024 * 1024


class _Cost(msgspec.Struct):
    usd: Decimal | None = None


class _Outputs(msgspec.Struct):
    failed: str | None = None


class _Timings(msgspec.Struct):
    finished_at: datetime


class _Closed(msgspec.Struct):
    cost: _Cost
    outputs: _Outputs
    timings: _Timings


def order_retry(wanted: Wanted, upload: UploadRecord, *, store: ObjectStore, now: datetime) -> RetryOrder:
    """Return the order of the job's next version. The same wish as that of the newest version returns its order.

    `upload` is the record of any version. The newest version must not be running, except for that repetition. Raises
    RetryRefused, RecipeRejected for a recipe with other output columns, and JobExpired.
    """
    known = versions(store, upload.job_id)
    open_order = read_order(store, known[-1])
    if open_order is not None and _closed(upload, known[-1], store) is None:
        order = _ordered(wanted, upload, known[:-1], store, now)
        if order.digest == open_order.digest:
            return open_order
        raise RetryRefused(_is_open(known[-1]))
    order = _ordered(wanted, upload, known, store, now)
    stored = claim(order, store)
    if stored.digest != order.digest:
        raise RetryRefused(_is_open(stored.record.job_id))
    return stored


def _is_open(version: str) -> str:
    return f"another retry makes {version}, with other rows or another recipe; wait until it has ended, or resume it"


def _ordered(wanted: Wanted, upload: UploadRecord, known: list[str], store: ObjectStore, now: datetime) -> RetryOrder:
    """Write the chosen rows under a key of their own, and return the order for them."""
    first = read_manifest(store, first_version(upload.job_id))
    if first is None:
        message = f"the files of job {upload.job_id} are gone, so its rows cannot be sent again; drop the file again"
        raise RetryRefused(message)
    refuse_if_expired(first.upload.job_id, first.upload.uploaded_at, now=now)
    _refuse_documents(first)
    base, closed = _newest_output(upload, known, store)
    last = read_order(store, base)
    recipe, schema = (last.recipe, last.schema) if last else (first.recipe, first.schema)
    if wanted.recipe is not None:
        recipe, schema = _fitting(wanted.recipe, first)
    is_same = last is not None and (last.recipe, last.schema) == (recipe, schema)
    sent = sent_rows(stored_rows(last.record.rows_key, store)) if last is not None and is_same else {}
    lines = chosen_rows(wanted, base, stored_rows(closed.outputs.failed or "", store), sent)
    digest = hashlib.blake2b(digest_size=8)
    digest.update(msgspec.json.encode([base, recipe, schema]))
    with tempfile.TemporaryFile(prefix="retry-") as spool:
        rows, size = _spooled(lines, spool, digest)
        number = version_of(known[-1]) + 1
        version = with_version(upload.job_id, number)
        record = UploadRecord(
            job_id=version,
            bucket=first.upload.bucket,
            key=first.upload.key,
            etag="",
            size=size,
            uploaded_at=now,
            rows_key=JobKeys(version).retried_rows(digest.hexdigest()),
        )
        order = RetryOrder(
            record=record,
            digest=digest.hexdigest(),
            rows=rows,
            recipe=recipe,
            schema=schema,
            spent_usd=closed.cost.usd or Decimal(0),
            pays_again=wanted.again,
        )
        _ = order.sent_recipe  # raises if nothing is left of max_cost_usd
        _store(spool, record.rows_key, store)
    return order


def _refuse_documents(first: Manifest) -> None:
    if first.recipe is not None and first.recipe.input == "files":
        message = "the job's rows are files, and failed.jsonl does not hold them; drop those files again"
        raise RetryRefused(message)


def _closed(upload: UploadRecord, version: str, store: ObjectStore) -> _Closed | None:
    try:
        return msgspec.json.decode(store.read(f"{results_prefix(upload.key, version)}summary.json"), type=_Closed)
    except ObjectMissing:
        return None


def _newest_output(upload: UploadRecord, known: list[str], store: ObjectStore) -> tuple[str, _Closed]:
    """Return the newest version with an output, and its summary. Raises RetryRefused if there is none."""
    for version in reversed(known):
        closed = _closed(upload, version, store)
        if closed is not None and closed.outputs.failed:
            return version, closed
    message = f"job {known[0]} has no output yet, so no row of it can be sent again; `batchdrop resume` continues it"
    raise RetryRefused(message)


def _fitting(given: tuple[Recipe, Any], first: Manifest) -> tuple[Recipe, Any]:
    """Return a recipe if its answers fit the job's output columns. Raises RetryRefused."""
    if first.recipe is None:
        message = "the job's rows are ready requests, so no recipe makes them; change the lines of failed.jsonl instead"
        raise RetryRefused(message)
    recipe, schema = given
    old = shape_of(first).columns.all
    new = answer_shape(recipe, schema, name=parse_inbox_key(first.upload.key).recipe_key).columns.all
    if new != old:
        columns = [", ".join(f"{column.name} ({column.kind})" for column in of) for of in (new, old)]
        message = (
            f"the recipe's output columns are {columns[0]}; those of the job are {columns[1]}. A retry fills the same "
            "columns. Keep `answer` and `output` as they were, or run the whole file with the new recipe"
        )
        raise RetryRefused(message)
    return recipe, schema


def _spooled(lines: Iterable[bytes], spool: IO[bytes], digest: Any) -> tuple[int, int]:
    """Write the lines into a file; return their number and their bytes."""
    rows = size = 0
    for line in lines:
        whole = line.rstrip(b"\n") + b"\n"
        spool.write(whole)
        digest.update(whole)
        rows, size = rows + 1, size + len(whole)
    return rows, size


def _store(spool: IO[bytes], key: str, store: ObjectStore) -> None:
    spool.seek(0)
    with store.writer(key) as target:
        while block := spool.read(BLOCK):
            target.write(block)
