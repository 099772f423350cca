"""Check a pilot: read its answer, and decide which shards are sent next."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from batchdrop.admission.ports import SharedStates
from batchdrop.answers.odd_records import heads_of, read_line
from batchdrop.answers.result import Errored
from batchdrop.answers.verdict import Verdict
from batchdrop.batch_lane.warm_prefix import WarmPrefix
from batchdrop.errors import InvariantBroken, PilotRefused
from batchdrop.job.job_files import answered_rounds, read_manifest
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, UploadRecord
from batchdrop.job.pilot import PILOT_SHARD, Asks, has_probe, leave_at
from batchdrop.job.ports import Ledger
from batchdrop.job.stored_lines import whole_lines
from batchdrop.job.submission import Halt
from batchdrop.ports import Clock, ObjectStore
from batchdrop.report.summary import fault_of


@dataclass(frozen=True, slots=True)
class PilotChecked:
    """`asks` is the next list of shards, `leave_at` when they are waited for no longer. `leave`: the job is halted."""

    rest: Literal["ask", "leave"]
    asks: Asks
    reason: str
    leave_at: int = 0


def check_pilot(
    upload: UploadRecord,
    asks: Asks,
    *,
    store: ObjectStore,
    ledger: Ledger,
    states: SharedStates,
    clock: Clock,
    is_first: bool,
) -> PilotChecked:
    """Return which shards are sent after those of the list `asks`. Safe to repeat.

    A pilot that the API refused halts the job, because all other requests would be refused too. That costs nothing.
    Not so in a job that was resumed or redriven (`is_first` is False): its user knows, and wants the other rows.
    """
    if halt := ledger.halted(upload.job_id):
        return PilotChecked("leave", asks, halt.reason)
    now = clock.now()
    if asks == "primer" and WarmPrefix(upload.job_id, states, clock).facts().is_primed(now):
        return PilotChecked("ask", "probe", "the prompt cache is primed", leave_at("probe", now))
    if asks != "pilot":
        return PilotChecked("ask", "shards", f"the {asks} has ended, or its time is over")
    manifest = read_manifest(store, upload.job_id)
    if manifest is None:
        message = f"job {upload.job_id} has no manifest"
        raise InvariantBroken(message)
    reason = why_not(manifest, store, ledger) if is_first else ""
    if reason:
        ledger.halt(upload.job_id, Halt(PilotRefused.__name__, reason, now))
        return PilotChecked("leave", asks, reason)
    following: Asks = "primer" if has_probe(manifest) else "shards"
    return PilotChecked("ask", following, "the pilot was not refused", leave_at(following, now))


def why_not(manifest: Manifest, store: ObjectStore, ledger: Ledger) -> str:
    """Return why the pilot forbids all other requests, and what to do; empty if it does not."""
    job_id = manifest.upload.job_id
    for failure in ledger.shard_failures(job_id):
        if failure.shard == PILOT_SHARD:
            fault = fault_of(failure.error, failure.cause)
            return (
                f"the first request could not be sent, so nothing else was sent: {fault.type}: {fault.message}. Fix "
                f"the cause, then `batchdrop resume {job_id}`"
            )
    for round_number in range(answered_rounds(store, job_id, PILOT_SHARD)):
        with closing(store.stream(JobKeys(job_id).answers(PILOT_SHARD, round_number))) as blocks:
            if words := next(filter(None, map(_refusal, whole_lines(blocks))), ""):
                is_paid = round_number > 0 and manifest.recipe is not None and manifest.recipe.escalate is not None
                return _advice(job_id, words, "only its first answer" if is_paid else "nothing")
    return ""


def _refusal(line: bytes) -> str:
    """Return the words of a result that no later round may repeat, and that costs nothing."""
    if not any(head.verdict is Verdict.NEVER for head in heads_of(line)):
        return ""
    result = read_line(line).result
    error = result.error.error if isinstance(result, Errored) else None
    return "" if error is None else f"{error.type}: {error.message}"


def _advice(job_id: str, why: str, billed: str) -> str:
    return (
        f"the API refused the first request, so nothing else was sent and {billed} is billed: {why}. Fix the recipe "
        f"and drop the file again. If only this row is at fault, `batchdrop resume {job_id}` sends the other rows"
    )
