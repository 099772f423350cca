"""Make a closed job's summary, and decide how the job ended."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from batchdrop.errors import JobCanceled, JobNotApproved, NothingAnswered, TooFewAnswered
from batchdrop.finish.packs_saved import packs_of
from batchdrop.job.manifest import Manifest, UploadRecord
from batchdrop.job.ports import Ledger
from batchdrop.job.versions import version_of
from batchdrop.money.cache_block import cache_block
from batchdrop.money.cost import dollars
from batchdrop.money.prices import effective
from batchdrop.recipe.recipe import Recipe
from batchdrop.report.escalated import Escalated, escalation_block
from batchdrop.report.gold_block import gold_blocks
from batchdrop.report.summary import (
    CostBlock,
    Fault,
    MessageBatchBlock,
    OutputBlock,
    PilotBlock,
    RetryBlock,
    Summary,
    TimingBlock,
    lane_blocks,
    perhaps_paid_block,
    remembered_block,
    tally_block,
)
from batchdrop.report.tally import Tally
from batchdrop.split.job_estimate import estimate_block

CALLED_OFF = {JobCanceled.__name__, JobNotApproved.__name__}  # the user canceled the job, or did not approve it


def too_few_answered(tally: Tally, recipe: Recipe | None) -> list[Fault]:
    """Return the fault of a job with too few answers: none at all, or fewer than the recipe's `fail_if` allows.

    Rejected rows were never sent, so they do not count.
    """
    sent = tally.rows - tally.rejected
    if not sent:
        return []
    if not tally.answered:
        to_do = "Fix the cause, then send the rows again with `batchdrop retry`"
        if tally.rows_perhaps_paid:
            to_do += ". Rows in perhaps-paid.jsonl may be paid: resume the job, which reads their Message Batches again"
        message = f"none of the {sent:,} rows that were sent has an answer. Each row's `_error` has the reason. {to_do}"
        return [Fault(NothingAnswered.__name__, message)]
    least = recipe.fail_if.answered_below if recipe and recipe.fail_if else 0.0
    share = tally.answered / sent
    if share >= least:
        return []
    message = (
        f"{tally.answered:,} of the {sent:,} rows that were sent are answered, a share of {share:.4g}. The recipe's "
        f"fail_if.answered_below is {least:g}. The output is complete. Each row's `_error` in failed.jsonl has the "
        "reason. Fix the cause, then send the rows again with `batchdrop retry`"
    )
    return [Fault(TooFewAnswered.__name__, message)]


def summary_of(
    upload: UploadRecord,
    prefix: str,
    manifest: Manifest | None,
    tally: Tally,
    faults: list[Fault],
    outputs: OutputBlock,
    ledger: Ledger,
    began: datetime,
    now: datetime,
    pilot: PilotBlock | None = None,
) -> Summary:
    """Return the summary of a job that was closed from `began` to `now`."""
    prices = effective(manifest.prices if manifest else None)
    usd = dollars(tally.tokens, prices)
    return Summary(
        job_id=upload.job_id,
        status=_status(faults),
        input=upload.key,
        bytes=upload.size,
        results=prefix,
        model=manifest.model if manifest else None,
        shards=len(manifest.shards) if manifest else 0,
        tally=tally_block(tally),
        tokens=tally.tokens,
        lanes=lane_blocks(tally.tokens, prices),
        cost=CostBlock(usd, prices.dates, prices.sources),
        perhaps_paid=perhaps_paid_block(tally),
        estimate=estimate_block(manifest, tally.tokens, usd) if manifest else None,
        cache=cache_block(manifest.cache, tally.tokens, prices) if manifest else None,
        packs=packs_of(manifest, tally),
        remembered=remembered_block(tally, prices),
        pilot=pilot,
        escalation=escalation_block(
            manifest.recipe if manifest else None, tally.escalated or Escalated(), tally.tokens, prices
        ),
        gold=gold_blocks(tally.statistics.gold, outputs.output) if tally.statistics.gold else msgspec.UNSET,
        timings=TimingBlock(
            uploaded_at=upload.uploaded_at,
            split_ended_at=manifest.split_ended_at if manifest else None,
            closed_from=began,
            finished_at=now,
            split_seconds=round(manifest.split_seconds, 3) if manifest else 0.0,
            total_seconds=round((now - upload.uploaded_at).total_seconds(), 3),
        ),
        outputs=outputs,
        message_batches=[
            MessageBatchBlock(
                sent.shard, sent.round_number, sent.requests, sent.batch_id, sent.sent_at, sent.collected_at
            )
            for sent in ledger.submissions(upload.job_id)
        ],
        faults=faults,
        notes=manifest.notes if manifest else [],
    )


def of_version(summary: Summary, manifest: Manifest, own: Tally, first: Manifest) -> Summary:
    """Return the summary of a later version: its estimate is of its `own` requests, its cost that of all versions."""
    usd = dollars(own.tokens, effective(manifest.prices))
    return msgspec.structs.replace(
        summary,
        bytes=first.upload.size,
        estimate=estimate_block(manifest, own.tokens, usd),
        cache=cache_block(manifest.cache, own.tokens, effective(manifest.prices)),
        version=version_of(summary.job_id),
        retry=RetryBlock(manifest.rows, usd),
        notes=[*first.notes, *manifest.notes],
    )


def _status(faults: list[Fault]) -> Literal["succeeded", "failed", "canceled"]:
    if not faults:
        return "succeeded"
    return "canceled" if faults[0].type in CALLED_OFF else "failed"


def encoded(summary: Summary) -> bytes:
    """Return the content of `summary.json`, with dollars as numbers."""
    return msgspec.json.format(msgspec.json.Encoder(decimal_format="number").encode(summary), indent=2)
