"""Show a sample: its rows with their answers, what they cost, what the whole would cost; and whether it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

import msgspec

from batchdrop.answers.result_line import PaidHead, ResultHead
from batchdrop.answers.verdict import Verdict
from batchdrop.errors import InvariantBroken, JobNotApproved, SampleFailed
from batchdrop.finish.write_output import write_output
from batchdrop.job.job_files import answered_rounds, formats_of, read_manifest
from batchdrop.job.latest_writer import announce, refuse_if_begun_since
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, MapItem, UploadRecord
from batchdrop.job.ports import Approvals, Formats, Ledger
from batchdrop.job.sample import (
    SAMPLE_SHARD,
    Projection,
    Rest,
    RestBlock,
    RowCost,
    SampleReport,
    cost_in,
    deadline_of_rest,
    is_under,
    projected,
)
from batchdrop.job.stored_lines import whole_lines
from batchdrop.job.submission import Halt
from batchdrop.job.upload import parse_inbox_key
from batchdrop.money.cost import dollars
from batchdrop.ports import Clock, Guard, ObjectChanged, ObjectMissing, ObjectStore
from batchdrop.recipe.lane import Lane
from batchdrop.recipe.recipe import Recipe, Sample
from batchdrop.report.summary import fault_of, tally_block
from batchdrop.report.tally import Tally

TRIES = 3  # of one showing that others come between


@dataclass(frozen=True, slots=True)
class Shown:
    """What becomes of the rows behind the sample, and why. `deadline` (Unix seconds, 0 for none) is theirs.

    `wait`: until they are approved. `leave`: the job is halted, and is to be closed. `report` is what was written to
    `sample.json`; None if nothing was.
    """

    rest: Rest
    reason: str
    deadline: int = 0
    projection: Projection | None = None
    report: SampleReport | None = None


@dataclass(frozen=True, slots=True)
class ShowingParts:
    """All that showing a sample needs of the world."""

    store: ObjectStore
    ledger: Ledger
    approvals: Approvals
    clock: Clock
    formats: Formats


def show_sample(upload: UploadRecord, parts: ShowingParts, *, time_is_over: bool = False) -> Shown:
    """Write `sample.<ext>` and `sample.json` beside the outputs to come, and decide about the rest.

    A sample that failed, and one that nobody approved before its `time_is_over`, halt the job. Safe to repeat: the
    decision is read from the ledger each time. Raises JobClosedSince if a later showing is under way.
    """
    manifest = read_manifest(parts.store, upload.job_id)
    if manifest is None or manifest.recipe is None or manifest.recipe.sampled is None:
        message = f"job {upload.job_id} has no sample to show"
        raise InvariantBroken(message)
    showing = _Showing(manifest, manifest.recipe, manifest.recipe.sampled, parts)
    if halt := parts.ledger.halted(upload.job_id):
        return showing.left(halt.reason)
    tally = showing.tally()
    if tally is None:
        return showing.halted(SampleFailed.__name__, showing.why_failed())
    shown = showing.shown(tally, time_is_over=time_is_over)
    began, tries = parts.clock.now(), TRIES
    while True:
        try:
            report = showing.write(tally, shown, began)
            break
        except ObjectChanged:  # by another showing: either that one is the last, or this one, and then from the start
            tries -= 1
            if not tries:
                raise
    if shown.rest == "leave":
        return showing.halted(JobNotApproved.__name__, shown.reason)
    return replace(shown, report=report)


class _Decision(NamedTuple):
    rest: Rest
    reason: str


class _Showing:
    """One look at a job's sample."""

    def __init__(self, manifest: Manifest, recipe: Recipe, sample: Sample, parts: ShowingParts) -> None:
        self._manifest = manifest
        self._recipe = recipe
        self._sample = sample
        self._parts = parts
        self._job_id = manifest.upload.job_id
        self._keys = JobKeys(self._job_id)
        self._rounds = answered_rounds(parts.store, self._job_id, SAMPLE_SHARD)
        self._lane = self._lane_of_rest()

    def _lane_of_rest(self) -> Lane:
        items = msgspec.json.decode(self._parts.store.read(self._keys.shards), type=list[MapItem])
        return items[SAMPLE_SHARD + 1].lane

    def tally(self) -> Tally | None:
        """Return the sample's tally, which proves its part; None if it has failed."""
        if any(failure.shard == SAMPLE_SHARD for failure in self._parts.ledger.shard_failures(self._job_id)):
            return None
        try:
            key = self._keys.part_tally(SAMPLE_SHARD, self._rounds)
            return msgspec.json.decode(self._parts.store.read(key), type=Tally)
        except ObjectMissing:
            return None

    def why_failed(self) -> str:
        item = self._manifest.shards[SAMPLE_SHARD]
        failures = self._parts.ledger.shard_failures(self._job_id)
        told = [fault_of(one.error, one.cause) for one in failures if one.shard == SAMPLE_SHARD]
        if told:
            why = f"{told[0].type}: {told[0].message}"
        elif not item.requests:
            why = f"none of its {item.rows:,} rows can be asked; mend them, or drop the file with another recipe"
        else:
            why = "its shard has no output and no recorded failure; its own execution tells why"
        return f"the sample failed, so nothing more was asked. {why}"

    def left(self, reason: str) -> Shown:
        return Shown("leave", reason)

    def halted(self, error: str, reason: str) -> Shown:
        """Halt the job; a reason that stands already stays."""
        self._parts.ledger.halt(self._job_id, Halt(error, reason, self._parts.clock.now()))
        return self.left(reason)

    def shown(self, tally: Tally, *, time_is_over: bool) -> Shown:
        projection = projected(dollars(tally.tokens), self._costs(), self._manifest, self._lane)
        approved_at = self._parts.approvals.approved(self._job_id)
        rest, reason = self._decision(approved_at, projection, time_is_over=time_is_over)
        deadline = deadline_of_rest(self._recipe, self._manifest.upload.uploaded_at, approved_at)
        return Shown(rest, reason, deadline, projection)

    def _decision(
        self, approved_at: datetime | None, projection: Projection | None, *, time_is_over: bool
    ) -> _Decision:
        ceiling = self._sample.continue_under_usd
        if approved_at is not None:
            return _Decision("ask", f"approved at {approved_at:%Y-%m-%d %H:%M:%S} UTC")
        if is_under(ceiling, projection):
            return _Decision("ask", f"the projected cost is within continue_under_usd ({ceiling:g})")
        if time_is_over:
            return _Decision("leave", NOT_APPROVED)
        what = "the projected cost may be over" if projection else "the cost is not known, so it may be over"
        over = "" if ceiling is None else f"; {what} continue_under_usd ({ceiling:g})"
        return _Decision("wait", f"it waits for `batchdrop approve {self._job_id}`{over}")

    def _costs(self) -> list[RowCost]:
        """Return what each answered row would have cost in the rest's lane; none where a price is unknown."""
        costs: dict[str, RowCost] = {}
        for custom_id, message in self._paid():
            cost = cost_in(self._lane, message)
            if cost is None:
                return []
            costs[custom_id] = costs.get(custom_id, RowCost()) + cost
        return list(costs.values())

    def _paid(self) -> Iterator[tuple[str, PaidHead]]:
        heads = msgspec.json.Decoder(ResultHead)
        for round_number in range(self._rounds):
            with closing(self._parts.store.stream(self._keys.answers(SAMPLE_SHARD, round_number))) as blocks:
                for line in whole_lines(blocks):
                    try:
                        head = heads.decode(line)
                    except (msgspec.DecodeError, UnicodeDecodeError):  # a blank line, or one that nobody can read
                        continue
                    if head.verdict >= Verdict.CUT and head.result.message is not None:
                        yield head.custom_id, head.result.message

    def write(self, tally: Tally, shown: Shown, began: datetime) -> SampleReport:
        """Write the two files and return the second, unless a later showing has begun: what it saw is newer."""
        store = self._parts.store
        began = announce(began, self._keys.showing, store)
        is_last = partial(refuse_if_begun_since, began, self._keys.showing, store)
        prefix = parse_inbox_key(self._manifest.upload.key).results_prefix(self._job_id)
        output = self._write_rows(prefix, is_last)
        report = self._report(tally, shown, output, began)
        body = msgspec.json.format(msgspec.json.Encoder(decimal_format="number").encode(report), indent=2)
        store.write(f"{prefix}sample.json", body, guard=is_last)
        return report

    def _write_rows(self, prefix: str, is_last: Guard) -> str:
        store, output = self._parts.store, formats_of(self._manifest, self._parts.formats).output
        key = f"{prefix}sample.{output.extension}"
        part = self._keys.part(SAMPLE_SHARD, self._rounds, output.extension)
        write_output(output, key, [part], store=store, guard=is_last)
        return key

    def _report(self, tally: Tally, shown: Shown, output: str, began: datetime) -> SampleReport:
        rest = self._manifest.shards[SAMPLE_SHARD + 1 :]
        rows, requests = sum(item.rows for item in rest), sum(item.requests for item in rest)
        return SampleReport(
            job_id=self._job_id,
            shown_at=began,
            model=self._recipe.model,
            output=output,
            tally=tally_block(tally),
            tokens=tally.tokens,
            spent_usd=dollars(tally.tokens),
            projected=shown.projection,
            continue_under_usd=self._sample.continue_under_usd,
            rest=RestBlock(rows, requests, self._lane, shown.rest, shown.reason),
        )


NOT_APPROVED = (
    "the sample was shown, and nobody approved it in time, so the rest was not asked. To go on: `batchdrop resume` the "
    "job, which shows the sample again at no cost, then `batchdrop approve` it"
)
