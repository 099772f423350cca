"""Show a sample: write its answers, their cost and the projected cost, and decide whether the other rows are sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

import msgspec

from batchdrop.answers.odd_records import heads_of
from batchdrop.answers.result_line import PaidHead
from batchdrop.errors import InvariantBroken, JobNotApproved, SampleFailed
from batchdrop.finish.packed_rounds import PackedRounds
from batchdrop.finish.read_again import reading_of
from batchdrop.finish.stitch_job import JobStitch
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
from batchdrop.money.prices import effective
from batchdrop.ports import Clock, Guard, ObjectChanged, ObjectMissing, ObjectStore
from batchdrop.recipe.lane import Lane
from batchdrop.recipe.recipe import Recipe, Sample
from batchdrop.report.summary import fault_of, tally_block
from batchdrop.report.tally import Tally

TRIES = 3  # of one showing, if other showings write at the same time


@dataclass(frozen=True, slots=True)
class Shown:
    """The decision about the rows after the sample, and its reason. `deadline` (Unix seconds, 0 for none) is theirs.

    `ask`: they are sent. `wait`: they wait for the approval. `leave`: the job is halted and will be closed. `report`
    is the content of `sample.json`; None if it was not written.
    """

    rest: Rest
    reason: str
    deadline: int = 0
    projection: Projection | None = None
    report: SampleReport | None = None


@dataclass(frozen=True, slots=True)
class ShowingParts:
    """The ports that showing a sample needs."""

    store: ObjectStore
    ledger: Ledger
    approvals: Approvals
    clock: Clock
    formats: Formats


def show_sample(upload: UploadRecord, parts: ShowingParts, *, time_is_over: bool = False) -> Shown:
    """Write `sample.<ext>` and `sample.json` into the job's results, and decide about the other rows.

    The job is halted if the sample failed, or if nobody approved it and `time_is_over`. Safe to repeat, because each
    call reads the ledger again. Raises JobClosedSince if a later showing has begun.
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
        except ObjectChanged:  # another showing wrote: start again, which raises JobClosedSince if that one is later
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
    """One showing of a job's sample."""

    def __init__(self, manifest: Manifest, recipe: Recipe, sample: Sample, parts: ShowingParts) -> None:
        self._manifest = manifest
        self._recipe = recipe
        self._sample = sample
        self._parts = parts
        self._job_id = manifest.upload.job_id
        self._keys = JobKeys(self._job_id)
        self._rounds = answered_rounds(parts.store, self._job_id, SAMPLE_SHARD)
        self._reading = reading_of(self._keys.read_again(SAMPLE_SHARD), parts.store)
        self._lane = self._lane_of_rest()
        self._prices = effective(manifest.prices)

    def _lane_of_rest(self) -> Lane:
        items = msgspec.json.decode(self._parts.store.read(self._keys.shards), type=list[MapItem])
        return items[SAMPLE_SHARD + 1].lane

    def tally(self) -> Tally | None:
        """Return the sample's tally, which proves that its part is complete; None if the sample failed.

        A sample of remembered rows was not sent, so no round has joined it.
        """
        item = self._manifest.shards[SAMPLE_SHARD]
        if item.remembered and not item.requests:
            own, parts = formats_of(self._manifest, self._parts.formats), self._parts
            stitch = JobStitch(self._manifest, [], parts.store, parts.ledger, own, parts.clock.now())
            return stitch.join(item, self._rounds, partial(self._keys.part, SAMPLE_SHARD, self._rounds))
        if any(failure.shard == SAMPLE_SHARD for failure in self._parts.ledger.shard_failures(self._job_id)):
            return None
        try:
            key = self._keys.part_tally(SAMPLE_SHARD, self._rounds, reading=self._reading)
            return msgspec.json.decode(self._parts.store.read(key), type=Tally)
        except ObjectMissing:
            return None

    def why_failed(self) -> str:
        item = self._manifest.shards[SAMPLE_SHARD]
        failures = self._parts.ledger.shard_failures(self._job_id)
        faults = [fault_of(one.error, one.cause) for one in failures if one.shard == SAMPLE_SHARD]
        if faults:
            why = f"{faults[0].type}: {faults[0].message}"
        elif not item.requests:
            why = f"None of its {item.rows:,} rows can be sent. Fix them, or drop the file again with another recipe"
        else:
            why = "Its shard has no output and no recorded failure. See the shard's own execution"
        return f"the sample failed, so nothing more was sent. {why}"

    def left(self, reason: str) -> Shown:
        return Shown("leave", reason)

    def halted(self, error: str, reason: str) -> Shown:
        """Halt the job. If it is already halted, the first reason stays."""
        self._parts.ledger.halt(self._job_id, Halt(error, reason, self._parts.clock.now()))
        return self.left(reason)

    def shown(self, tally: Tally, *, time_is_over: bool) -> Shown:
        projection = projected(dollars(tally.tokens, self._prices), self._costs(), self._manifest, self._lane)
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
        cost = "the projected cost may exceed" if projection else "the cost is not known, so it may exceed"
        over = "" if ceiling is None else f"; {cost} continue_under_usd ({ceiling:g})"
        return _Decision("wait", f"waiting for `batchdrop approve {self._job_id}`{over}")

    def _costs(self) -> list[RowCost]:
        """Return the cost of each answered row in the lane of the other rows; an empty list if a price is unknown."""
        costs: dict[str, RowCost] = {}
        for custom_id, message in self._paid():
            cost = cost_in(self._lane, message, self._prices)
            if cost is None:
                return []
            costs[custom_id] = costs.get(custom_id, RowCost()) + cost
        return list(costs.values())

    def _paid(self) -> Iterator[tuple[str, PaidHead]]:
        packs = PackedRounds(self._manifest, SAMPLE_SHARD, self._parts.store)
        for round_number in range(self._rounds):
            with closing(self._parts.store.stream(self._keys.answers(SAMPLE_SHARD, round_number))) as blocks:
                for line in whole_lines(packs.rows(round_number, blocks)):
                    for head in heads_of(line):
                        if head.verdict.is_paid and head.result.message is not None:
                            yield head.custom_id, head.result.message

    def write(self, tally: Tally, shown: Shown, began: datetime) -> SampleReport:
        """Write both files; return the report. Raises JobClosedSince if a later showing has begun, which knows more."""
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
        part = self._keys.part(SAMPLE_SHARD, self._rounds, output.extension, reading=self._reading)
        write_output(output, key, [part], store=store, guard=is_last)
        return key

    def _report(self, tally: Tally, shown: Shown, output: str, began: datetime) -> SampleReport:
        rest = self._manifest.shards[SAMPLE_SHARD + 1 :]
        rows, requests = sum(item.rows - item.sampled for item in rest), sum(item.requests for item in rest)
        return SampleReport(
            job_id=self._job_id,
            shown_at=began,
            model=self._manifest.model or self._recipe.model,
            output=output,
            tally=tally_block(tally),
            tokens=tally.tokens,
            spent_usd=dollars(tally.tokens, self._prices),
            projected=shown.projection,
            continue_under_usd=self._sample.continue_under_usd,
            rest=RestBlock(rows, requests, self._lane, shown.rest, shown.reason),
        )


NOT_APPROVED = (
    "nobody approved the sample in time, so the other rows were not sent. To continue, `batchdrop resume` the job: it "
    "shows the sample again at no cost. Then `batchdrop approve` it"
)
