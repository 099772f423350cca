"""Close a job: stitch the shards' parts into the output, account for every row, and tell how it went."""

from __future__ import annotations

from contextlib import closing

import msgspec

from batchdrop.domain.cost import batch_dollars, price_table
from batchdrop.domain.layout import JobKeys
from batchdrop.domain.manifest import Manifest, ShardItem, UploadRecord
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
from batchdrop.errors import UploadRejected
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
    faults = [fault] if fault else []
    tally = Tally()
    outputs = OutputBlock(None, None)
    if manifest is not None and manifest.cursor is None:
        failures = ledger.shard_failures(upload.job_id)
        faults += [fault_of(failure.error, failure.cause, failure.shard) for failure in failures]
        file_format = format_of(manifest, format_for)
        tally = _Stitch(manifest, faults, store, file_format).write(prefix)
        outputs = OutputBlock(f"{prefix}output.{file_format.extension}", f"{prefix}failed.jsonl")
    summary = _summary(upload, prefix, manifest, tally, faults, outputs, ledger, clock)
    store.write(f"{prefix}summary.json", _encode(summary))
    return summary


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
        self._reasons = {fault.shard: f"{fault.type}: {fault.message}" for fault in faults}
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
                unanswered=self._reasons.get(item.shard)
                or self._reasons.get(None)
                or "the job ended before this shard",
            )

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
        status="failed" if faults else "succeeded",
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


def _encode(summary: Summary) -> bytes:
    return msgspec.json.format(msgspec.json.Encoder(decimal_format="number").encode(summary), indent=2)
