"""Stitch a job's outputs from its shards' parts. A shard without a part is joined first."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

import msgspec

from batchdrop.answers.outcome import Outcome, canceled, failed, not_sent, over_budget
from batchdrop.errors import BudgetReached, JobFailed, UploadRejected
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.escalations import escalations_of
from batchdrop.finish.job_summary import CALLED_OFF
from batchdrop.finish.join_groups import GroupedParts, join_group_shard
from batchdrop.finish.join_shard import NO_RESULT, AnsweredRows, JoinedRows, ShardResults, join_shard, joined_rows
from batchdrop.finish.lent_answers import LentAnswers, shared_rows
from batchdrop.finish.live_results import flushed_lines
from batchdrop.finish.packed_rounds import PackedRounds
from batchdrop.finish.partial_results import arrived_lines, uncertain_lines, was_sent
from batchdrop.finish.perhaps_paid import batch_ids, perhaps_paid_in
from batchdrop.finish.read_again import reading_of, settle_read_again
from batchdrop.finish.recalled import forgotten_in, recall
from batchdrop.finish.sample_answers import sample_version
from batchdrop.finish.shard_run import noted_rows, store_run
from batchdrop.finish.write_output import write_output
from batchdrop.job.job_files import JobFormats, answered_rounds
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.job.ports import Ledger, OutputFormat
from batchdrop.job.remembering import AnswersOf, run_name
from batchdrop.job.sample import SAMPLE_SHARD, has_sample
from batchdrop.job.stored_source import UploadSource
from batchdrop.money.prices import effective
from batchdrop.ports import Guard, ObjectMissing, ObjectStore, Source
from batchdrop.report.summary import Fault
from batchdrop.report.tally import Tally


class JobStitch:
    """Stitches the parts of all shards. A shard without a part is joined first, and its rows say why they failed.

    Such a part has a key of its own, so that a superseded closing cannot overwrite the part that a resumed job makes
    from all rounds. `answers` opens the answer store, which gets the answers of such a part, too.
    """

    def __init__(
        self,
        manifest: Manifest,
        faults: list[Fault],
        store: ObjectStore,
        ledger: Ledger,
        formats: JobFormats,
        began: datetime,
        *,
        answers: AnswersOf | None = None,
    ) -> None:
        self._manifest = manifest
        self._answers = answers
        self._keys = JobKeys(manifest.upload.job_id)
        self._all_faults = faults
        self._faults = {fault.shard: fault for fault in reversed(faults)}
        self._store = store
        self._ledger = ledger
        self._formats = formats
        self._began = began
        self._part_keys: list[Callable[[str], str]] = []
        self._groups: GroupedParts | None = None
        self._joined_here: set[int] = set()  # shards of a grouped job that this closing joins
        self._lent: LentAnswers | None = None
        self._sample: LentAnswers | None = None
        self._version_of_sample: str | None = None
        self.notes: list[str] = []
        self.runs: list[str] = []  # of the answer store, from the parts' own answers
        self._perhaps_paid: list[Callable[[str], str]] = []  # the parts of shards with rows that may be paid

    def write(self, prefix: str, is_last: Guard) -> Tally:
        """Write output, failed.jsonl and, if rows may be paid, perhaps-paid.jsonl; return the job's tally.

        Raises InvariantBroken if a row is missing.

        A file appears when it is complete, and only if the guard `is_last` does not raise. Raises ObjectChanged if
        another closing wrote the file after the guard's check.
        """
        total = self.tally()
        self._write(self._formats.failed, f"{prefix}failed.jsonl", is_last)
        self._write_perhaps_paid(f"{prefix}perhaps-paid.jsonl", is_last)
        self._write(self._formats.output, f"{prefix}output.{self._formats.output.extension}", is_last)
        return total

    def _write(self, output: OutputFormat, key: str, is_last: Guard) -> None:
        parts = [part_key(output.extension) for part_key in self._part_keys]
        upload = self._upload() if output.changes_upload else None
        write_output(output, key, parts, store=self._store, guard=is_last, upload=upload)

    def _upload(self) -> Source | None:
        """Return the upload; None, with a note, if it is gone."""
        source = UploadSource(self._store, self._manifest.upload)
        try:
            source.read_range(0, 1)
        except UploadRejected:
            self.notes.append("the upload is gone, so the output is a new workbook with the sheet alone")
            return None
        return source

    def _write_perhaps_paid(self, key: str, is_last: Guard) -> None:
        """Write the rows that may be paid. A file of an earlier closing is emptied if there are none any more."""
        output = self._formats.perhaps_paid
        parts = [part_key(output.extension) for part_key in self._perhaps_paid]
        if parts:
            write_output(output, key, parts, store=self._store, guard=is_last)
        elif self._store.exists(key):
            self._store.write(key, b"", guard=is_last)

    def tally(self) -> Tally:
        """Find or make the part of every shard; return the sum of their tallies."""
        total = Tally()
        if self._manifest.is_grouped:
            self._groups = self._grouped(total)
        if self._manifest.draws_sample and self._manifest.shards:
            self._add_sample(total)
        for item in self._manifest.sections:
            tally = self._part(item)
            tally.check(rows=item.rows, where=f"shard {item.shard}")
            total.merge(tally)
            self.runs += [run_name(self._part_keys[-1])] if tally.stored else []
            self._perhaps_paid += self._part_keys[-1:] if tally.rows_perhaps_paid else []
        total.check(rows=self._manifest.rows, where=f"job {self._manifest.upload.job_id}")
        return total

    def _add_sample(self, total: Tally) -> None:
        """Add what the random sample cost. Its rows are counted in the shards where they stand."""
        known = self._shard_part(self._manifest.shards[SAMPLE_SHARD])
        part_key = self._part_keys.pop()
        self.runs += [run_name(part_key)] if known.stored else []
        total.merge(known.bill)

    def _part(self, item: ShardItem) -> Tally:
        """Find or make a shard's part; return its tally. A stored part is used only if it has all sent rounds.

        A part may be older than a resume, which sent another round and failed before it was collected. The part of a
        block is always made again.
        """
        if self._groups is not None:
            self._part_keys.append(partial(self._keys.part_of_closing, item.shard, self._began))
            return self._groups.write(item, self._part_keys[-1])
        return self._shard_part(item)

    def _grouped(self, total: Tally) -> GroupedParts:
        """Find or make the final lines of each shard of a grouped job; add what they cost to `total`."""
        prices = effective(self._manifest.prices)
        groups = GroupedParts(self._manifest, store=self._store, formats=self._formats, prices=prices)
        for item in self._manifest.shards:
            known = self._shard_part(item)
            total.merge(known.bill)
            was_joined = item.shard in self._joined_here
            unanswered = self._unanswered(item.shard) if was_joined else failed(NO_RESULT)
            ids = batch_ids(self._keys.job_id, item.shard, self._ledger)
            groups.add(item.shard, self._part_keys.pop(), ids, unanswered)
        return groups

    def _shard_part(self, item: ShardItem) -> Tally:
        rounds = answered_rounds(self._store, self._manifest.upload.job_id, item.shard)
        if self._has_flushes(item.shard, rounds) or was_sent(self._keys.job_id, item.shard, rounds, self._ledger):
            return self._joined(item, rounds)
        reading = reading_of(self._keys.read_again(item.shard), self._store)
        try:
            key = self._keys.part_tally(item.shard, rounds, reading=reading)
            tally = msgspec.json.decode(self._store.read(key), type=Tally)
        except ObjectMissing:
            return self._joined(item, rounds)
        sample = self._sample_version() if item.sampled else ""
        # When it was joined, the shards that it borrows from may have been under way.
        if item.borrowed or (item.sampled and not sample == tally.sample != ""):
            self._part_keys.append(partial(self._keys.part_of_closing, item.shard, self._began))
            return self.join(item, rounds, self._part_keys[-1])
        self._part_keys.append(partial(self._keys.part, item.shard, rounds, reading=reading, sample=sample))
        return tally

    def _sample_version(self) -> str:
        if self._version_of_sample is None:
            self._version_of_sample = sample_version(self._manifest, self._store, self._ledger)
        return self._version_of_sample

    def _has_flushes(self, shard: int, round_number: int) -> bool:
        """Return whether a failed job left live answers, or lost ones, that no round collected. They are paid, too."""
        if not self._all_faults:
            return False
        flushes = self._store.keys(self._keys.live_answers(shard, round_number))
        return any(flushes) or bool(self._ledger.tries_left(self._keys.job_id, shard, round_number))

    def _joined(self, item: ShardItem, rounds: int) -> Tally:
        """Join the answers that a failed shard has from its earlier rounds. They are paid, so they must not be lost."""
        if item.requests and self._fault(item.shard) is None:
            reason = (
                "the shard has no output and no recorded failure. See the shard's own execution, then resume the job"
            )
            self._all_faults.append(Fault(JobFailed.__name__, reason, item.shard))
        self._part_keys.append(partial(self._keys.part_of_closing, item.shard, self._began))
        return self.join(item, rounds, self._part_keys[-1])

    def join(self, item: ShardItem, rounds: int, part_key: Callable[[str], str]) -> Tally:
        """Write a shard's part from what is in the bucket; return its tally."""
        with self._index(item, rounds) as (index, packs):
            noted = noted_rows(self._manifest, item.rows, self._answers, self._formats.reader)
            tally = self._join(item, index, part_key, noted)
            run = self._manifest, item.shard, run_name(part_key), index, noted
            tally.stored = store_run(*run, store=self._store, answers=self._answers)
            tally.escalated = index.escalations.counted() if index.escalations is not None else None
            tally.packs = packs.counts()
            tally.perhaps_paid = perhaps_paid_in(
                self._keys,
                item.shard,
                index,
                manifest=self._manifest,
                store=self._store,
                batch_id_of=batch_ids(self._keys.job_id, item.shard, self._ledger),
            )
            return tally

    def _join(
        self, item: ShardItem, index: AnswerIndex, part_key: Callable[[str], str], noted: AnsweredRows | None
    ) -> Tally:
        unanswered = self._unanswered(item.shard)
        if self._manifest.is_grouped:
            self._joined_here.add(item.shard)
            return join_group_shard(
                self._manifest, item, store=self._store, results=index, unanswered=unanswered, part_key=part_key
            )
        return join_shard(
            self._keys.job_id,
            item,
            store=self._store,
            formats=self._formats,
            results=index,
            unanswered=unanswered,
            part_key=part_key,
            batch_id_of=batch_ids(self._keys.job_id, item.shard, self._ledger),
            prices=effective(self._manifest.prices),
            noted=noted,
        )

    def rows(self, item: ShardItem) -> Generator[JoinedRows, None, None]:
        """Yield the rows of a section with their outcomes, from all answers that are in the bucket."""
        if self._groups is not None:
            yield from self._groups.rows(item)
            return
        job_id, prices = self._keys.job_id, effective(self._manifest.prices)
        with self._index(item, answered_rounds(self._store, job_id, item.shard)) as (index, _):
            ids = batch_ids(job_id, item.shard, self._ledger)
            results = ShardResults(index, job_id, item.shard, self._unanswered(item.shard), ids)
            key = self._keys.rows(item.shard)
            yield from joined_rows(key, results, store=self._store, formats=self._formats, prices=prices)

    @contextmanager
    def _index(self, item: ShardItem, rounds: int) -> Iterator[tuple[AnswerIndex, PackedRounds]]:
        """Index what a shard has, and what it borrows from earlier shards."""
        with self._own_index(item, rounds) as (index, packs):
            if item.borrowed:
                self._lent = self._lent or self._lenders(shared_rows(self._manifest, self._store))
                self._lent.lend(item, index)
            if item.sampled:
                rows = {SAMPLE_SHARD: range(self._manifest.shards[SAMPLE_SHARD].rows)}
                self._sample = self._sample or self._lenders(rows)
                self._sample.lend(item, index)
            yield index, packs

    def _lenders(self, wanted: Mapping[int, Sequence[int]]) -> LentAnswers:
        return LentAnswers(self._manifest, wanted, self._lender, self._store, self._ledger)

    @contextmanager
    def _lender(self, item: ShardItem) -> Iterator[AnswerIndex]:
        with self._own_index(item, answered_rounds(self._store, self._keys.job_id, item.shard)) as (index, _):
            yield index

    @contextmanager
    def _own_index(self, item: ShardItem, rounds: int) -> Iterator[tuple[AnswerIndex, PackedRounds]]:
        """Index what a shard has: its collected rounds, and what arrived of the round after them."""
        job_id = self._keys.job_id
        with tempfile.TemporaryFile(prefix="answers-") as spool:
            escalations = escalations_of(self._manifest, item.rows)
            index = AnswerIndex(spool, job_id=job_id, shard=item.shard, rows=item.rows, escalations=escalations)
            recall(index, item, self._keys, self._store, forgotten_in(self._manifest, item, self._answers))
            packs = PackedRounds(self._manifest, item.shard, self._store)
            for round_number in range(rounds):
                packs.fill(index, round_number)
            index.fill(
                packs.rows(rounds, flushed_lines(job_id, item.shard, rounds, store=self._store)),
                packs.rows(rounds, arrived_lines(self._keys.arrived_answers(item.shard, rounds), self._store)),
                packs.rows(rounds, self._uncertain(item.shard, rounds, index)),
            )
            settle_read_again(index, self._keys.read_again(item.shard), self._store)
            yield index, packs

    def _uncertain(self, shard: int, round_number: int, index: AnswerIndex) -> Iterator[bytes]:
        """Return lines for the rows of a round that was sent, and whose results never arrived."""
        fault = self._fault(shard)
        why = f"{fault.type}: {fault.message}" if fault else "the shard ended without a recorded failure"
        return uncertain_lines(self._keys, shard, round_number, index, why, store=self._store, ledger=self._ledger)

    def _fault(self, shard: int) -> Fault | None:
        return self._faults.get(shard) or self._faults.get(None)

    def _unanswered(self, shard: int) -> Outcome:
        fault = self._fault(shard)
        if fault is None:
            return failed("the job ended before this shard was sent")
        if fault.type in CALLED_OFF:
            return not_sent(fault.message) if self._waited_for_approval(shard) else canceled(fault.message)
        if fault.type == BudgetReached.__name__:
            return over_budget(fault.message)
        return failed(f"{fault.type}: {fault.message}")

    def _waited_for_approval(self, shard: int) -> bool:
        """Return whether a shard comes after the job's sample, and no request of it was sent."""
        if not has_sample(self._manifest) or shard == SAMPLE_SHARD:
            return False
        job_id = self._keys.job_id
        has_answers = any(self._store.keys(self._keys.live_answers(shard, 0))) or self._store.exists(
            self._keys.answers(shard, 0)
        )
        return not has_answers and not was_sent(job_id, shard, 0, self._ledger)
