"""Close a job: stitch the shards' parts into the output, account for every row, and tell how it went."""

from __future__ import annotations

from contextlib import closing
from typing import Literal

import msgspec

from batchdrop.domain.cost import batch_dollars, price_table
from batchdrop.domain.layout import JobKeys
from batchdrop.domain.manifest import Manifest, ShardItem, UploadRecord
from batchdrop.domain.outcome import Outcome, canceled, failed
from batchdrop.domain.submission import Halt
from batchdrop.domain.summary import (
    CostBlock,
    Fault,
    MessageBatchBlock,
    OutputBlock,
    Summary,
    TimingBlock,
    fault_of,
    tally_block,
)
from batchdrop.domain.tally import Tally
from batchdrop.domain.upload import parse_inbox_key
from batchdrop.errors import JobCanceled, UploadRejected
from batchdrop.ports import Clock, FileFormat, Ledger, ObjectMissing, ObjectStore, Writer
from batchdrop.usecases.job_files import FormatFor, format_of, read_manifest
from batchdrop.usecases.join_shard import join_shard

UNSAFE_KEY_RESULTS = "results/_unnamed/"  # where the summary goes when the upload's key cannot name a folder


def close_job(
    upload: UploadRecord,
    fault: Fault | None,
    *,
    store: ObjectStore,
    ledger: Ledger,
    clock: Clock,
    format_for: FormatFor,
) -> Summary:
    """Write the job's outputs and return its summary.

    `fault` is why the job stopped before its shards were asked; then there is only the summary, or, when the whole
    file was split, the output with every row's reason. Raises InvariantBroken rather than write a short output.
    """
    prefix = _results_prefix(upload)
    manifest = read_manifest(store, upload.job_id)
    halt = ledger.halted(upload.job_id)
    faults = [fault] if fault else []
    faults += [Fault(halt.error, halt.reason)] if halt else []
    tally = Tally()
    outputs = OutputBlock(None, None)
    if manifest is not None and manifest.cursor is None:
        faults += _shard_faults(upload.job_id, halt, ledger)
        file_format = format_of(manifest, format_for)
        tally = _Stitch(manifest, faults, store, file_format).write(prefix)
        outputs = OutputBlock(f"{prefix}output.{file_format.extension}", f"{prefix}failed.jsonl")
    summary = _summary(upload, prefix, manifest, tally, faults, outputs, ledger, clock)
    store.write(f"{prefix}summary.json", _encode(summary))
    return summary


def _shard_faults(job_id: str, halt: Halt | None, ledger: Ledger) -> list[Fault]:
    """Return the faults of single shards; those that only obeyed the halt say nothing new."""
    failures = ledger.shard_failures(job_id)
    return [fault_of(one.error, one.cause, one.shard) for one in failures if halt is None or one.error != halt.error]


def _results_prefix(upload: UploadRecord) -> str:
    try:
        return parse_inbox_key(upload.key).results_prefix(upload.job_id)
    except UploadRejected:
        return f"{UNSAFE_KEY_RESULTS}{upload.job_id}/"


class _Stitch:
    """Puts the parts of all shards behind each other; a shard without a part gets one that says why."""

    def __init__(self, manifest: Manifest, faults: list[Fault], store: ObjectStore, file_format: FileFormat) -> None:
        self._manifest = manifest
        self._keys = JobKeys(manifest.upload.job_id)
        self._faults = {fault.shard: fault for fault in reversed(faults)}
        self._store = store
        self._format = file_format

    def write(self, prefix: str) -> Tally:
        """Write output and failed.jsonl; return the whole job's tally. Raises InvariantBroken if a row is missing."""
        total = Tally()
        extension = self._format.extension
        with (
            self._store.writer(f"{prefix}output.{extension}") as output,
            self._store.writer(f"{prefix}failed.jsonl") as failed,
        ):
            output.write(self._format.output_header())
            for item in self._manifest.shards:
                tally = self._part(item)
                tally.check(rows=item.rows, where=f"shard {item.shard}")
                total.merge(tally)
                self._copy(self._keys.part(item.shard, extension), output)
                self._copy(self._keys.part_failed(item.shard), failed)
            total.check(rows=self._manifest.rows, where=f"job {self._manifest.upload.job_id}")
        return total

    def _part(self, item: ShardItem) -> Tally:
        try:
            return msgspec.json.decode(self._store.read(self._keys.part_tally(item.shard)), type=Tally)
        except ObjectMissing:
            return join_shard(
                self._manifest.upload.job_id,
                item,
                store=self._store,
                file_format=self._format,
                result_of=lambda _index: None,
                unanswered=self._unanswered(item.shard),
            )

    def _unanswered(self, shard: int) -> Outcome:
        fault = self._faults.get(shard) or self._faults.get(None)
        if fault is None:
            return failed("the job ended before this shard was asked")
        if fault.type == JobCanceled.__name__:
            return canceled(fault.message)
        return failed(f"{fault.type}: {fault.message}")

    def _copy(self, key: str, target: Writer) -> None:
        with closing(self._store.stream(key)) as blocks:
            for block in blocks:
                target.write(block)


def _summary(
    upload: UploadRecord,
    prefix: str,
    manifest: Manifest | None,
    tally: Tally,
    faults: list[Fault],
    outputs: OutputBlock,
    ledger: Ledger,
    clock: Clock,
) -> Summary:
    now = clock.now()
    return Summary(
        job_id=upload.job_id,
        status=_status(faults),
        input=upload.key,
        bytes=upload.size,
        results=prefix,
        model=manifest.recipe.model if manifest and manifest.recipe else None,
        shards=len(manifest.shards) if manifest else 0,
        tally=tally_block(tally),
        tokens=tally.tokens,
        cost=CostBlock(batch_dollars(tally.tokens), price_table().date),
        timings=TimingBlock(
            uploaded_at=upload.uploaded_at,
            split_ended_at=manifest.split_ended_at if manifest else None,
            finished_at=now,
            split_seconds=round(manifest.split_seconds, 3) if manifest else 0.0,
            total_seconds=round((now - upload.uploaded_at).total_seconds(), 3),
        ),
        outputs=outputs,
        message_batches=[
            MessageBatchBlock(sent.shard, sent.asked_round, sent.requests, sent.batch_id)
            for sent in ledger.submissions(upload.job_id)
        ],
        faults=faults,
    )


def _status(faults: list[Fault]) -> Literal["succeeded", "failed", "canceled"]:
    if not faults:
        return "succeeded"
    return "canceled" if faults[0].type == JobCanceled.__name__ else "failed"


def _encode(summary: Summary) -> bytes:
    return msgspec.json.format(msgspec.json.Encoder(decimal_format="number").encode(summary), indent=2)
