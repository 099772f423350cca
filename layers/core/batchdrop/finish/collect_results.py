"""Collect a round's results: fetch, count and keep them. Then prepare the next round, or join the shard."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

import msgspec

from batchdrop.admission.budget import NOTHING
from batchdrop.admission.budget_ledger import JobBudget
from batchdrop.admission.ports import SharedStates
from batchdrop.admission.worst_case import WorstCase
from batchdrop.answers.outcome import failed
from batchdrop.answers.result import MessageBatch
from batchdrop.answers.verdict import Verdict
from batchdrop.batch_lane.ports import BatchReader
from batchdrop.batch_lane.same_provider import refuse_lost_elsewhere
from batchdrop.batch_lane.warm_prefix import WarmPrefix
from batchdrop.errors import AccountTrouble, ApiUnavailable, InvariantBroken, MessageBatchLost, ResultsIncomplete
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.cache_reads import note_reads
from batchdrop.finish.escalations import escalations_of
from batchdrop.finish.foreign_results import refuse_foreign_results
from batchdrop.finish.join_groups import join_group_shard
from batchdrop.finish.join_shard import NO_RESULT, join_shard
from batchdrop.finish.leftovers import write_leftovers, written_round
from batchdrop.finish.live_results import flushed_lines, unanswered_lines, unnamed_rows, was_never_tried
from batchdrop.finish.next_packs import next_packs
from batchdrop.finish.next_round import SendAgain, breaks_of, next_requests, rounds_of, within_rounds
from batchdrop.finish.next_wave import next_wave
from batchdrop.finish.packed_rounds import PackedRounds
from batchdrop.finish.partial_results import arrived_lines, keep_arrived
from batchdrop.finish.perhaps_paid import batch_ids, perhaps_paid_in
from batchdrop.finish.read_again import read_again, settle_read_again
from batchdrop.finish.recalled import forgotten_in, recall
from batchdrop.finish.round_cost import settle_round
from batchdrop.finish.sample_answers import lend_sample
from batchdrop.finish.shard_run import noted_rows, store_run
from batchdrop.finish.unsent_rows import limited_rounds
from batchdrop.job.halting import halting_on_account_trouble
from batchdrop.job.job_files import formats_of, read_manifest, reader_of
from batchdrop.job.lane import lane_of_leftovers
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.job.ports import Formats, Ledger
from batchdrop.job.remembering import AnswersOf, run_name
from batchdrop.job.shard_state import ShardState
from batchdrop.job.submission import Halt
from batchdrop.money.prices import effective
from batchdrop.ports import Clock, ObjectChanged, ObjectStore, Writer
from batchdrop.recipe.lane import Lane
from batchdrop.report.tally import Tally
from batchdrop.settings import LIVE_ROWS


@dataclass(frozen=True, slots=True)
class Collected:
    """The result of a round: the number of `leftovers` for the next round, or, if there are none, the shard's tally.

    `lane` is the lane of the next round. `worst_usd` is its highest cost, if the job has a budget. `escalates`: the
    next round may have requests to another model.
    """

    leftovers: int
    tally: Tally | None
    lane: Lane
    worst_usd: Decimal = NOTHING
    escalates: bool = False


def collect_results(
    state: ShardState,
    *,
    store: ObjectStore,
    ledger: Ledger,
    api: Callable[[], BatchReader],
    clock: Clock,
    formats: Formats,
    states: SharedStates,
    live_rows: int = LIVE_ROWS,
    answers: AnswersOf | None = None,
) -> Collected:
    """Collect one round. Write the next round's create body, or, after the last round, the shard's part of the output.

    A shard has the recipe's `max_rounds`, and as many again for each resume of the job. A late job has one more round,
    in the live lane. `answers` opens the answer store, which gets the shard's answers. Raises ResultsIncomplete if the
    API sent fewer results than it counted; then those that arrived are kept for the close of the job. Raises
    SubmissionUncertain if the Message Batch is not the shard's.
    """
    collected = partial(_collected, state, store, ledger, api, clock, formats, states, live_rows, answers)
    try:
        return collected()
    except ObjectChanged:  # a repetition of this call has stored the round meanwhile: its answers count
        return collected()


def _collected(
    state: ShardState,
    store: ObjectStore,
    ledger: Ledger,
    api: Callable[[], BatchReader],
    clock: Clock,
    formats: Formats,
    states: SharedStates,
    live_rows: int,
    answers_of: AnswersOf | None,
) -> Collected:
    job_id, shard = state.job_id, state.shard
    manifest = read_manifest(store, job_id)
    if manifest is None:
        message = f"job {job_id} has no manifest"
        raise InvariantBroken(message)
    item, ended_at = manifest.shards[shard], None
    with tempfile.TemporaryFile(prefix="answers-") as spool:
        budget = JobBudget(job_id, states, clock)
        limited = limited_rounds(budget.state(), shard, state.round + 1) if manifest.waves else ()
        index = AnswerIndex(
            spool,
            job_id=job_id,
            shard=shard,
            rows=item.rows,
            breaks=breaks_of(manifest),
            limited_rounds=limited,
            escalations=escalations_of(manifest, item.rows),
        )
        recall(index, item, JobKeys(job_id), store, forgotten_in(manifest, item, answers_of))
        keys = [JobKeys(job_id).answers(shard, number) for number in range(state.round + 1)]
        packs = PackedRounds(manifest, shard, store)
        for earlier in range(state.round):
            packs.fill(index, earlier)
        if store.exists(keys[-1]):  # collected before a resume; the API may have deleted the results since
            packs.fill(index, state.round)
            _read_again(api, state, index, packs, item, store, ledger, clock)
        else:
            with store.writer(keys[-1], guard=partial(_refuse_second, keys[-1], store)) as answers:
                if state.lane == "live":
                    _fill_from_flushes(state, index, packs, answers, store=store, ledger=ledger)
                else:
                    with halting_on_account_trouble(job_id, ledger, clock):
                        ended_at = _fetch(api(), state, index, packs, answers, store, ledger, item)
                _halt_for_refused_rows(
                    job_id, index, ledger, clock
                )  # before they are stored: stored ones are not checked
        reading = settle_read_again(index, JobKeys(job_id).read_again(shard), store)
        if state.lane == "batch":
            ledger.collected(job_id, shard, state.round, clock.now())
        note_reads(state, store, WarmPrefix(job_id, states, clock), ended_at)
        worst = settle_round(state, manifest, store, budget=budget)
        if manifest.starts_empty:
            planned = partial(next_packs, rounds=packs) if manifest.is_packed else next_wave
            wave = planned(
                state, manifest, index, store=store, ledger=ledger, clock=clock, budget=budget, live_rows=live_rows
            )
            if wave is not None:
                return Collected(
                    wave.requests, None, wave.lane, wave.worst_usd, escalates=index.escalations is not None
                )
        is_late = bool(state.deadline) and clock.now().timestamp() >= state.deadline
        most = rounds_of(manifest, state.resumes) + was_never_tried(state, manifest, index)
        again = next_requests(index, manifest, most=most + 1)
        lane = lane_of_leftovers(
            manifest.recipe, lane=state.lane, leftovers=again.requests, live_rows=live_rows, is_late=is_late
        )
        if ledger.submission(job_id, shard, state.round + 1) is not None:
            lane = "batch"  # an earlier execution may have sent that round: find it, even if late; do not pay it twice
        again = within_rounds(again, index, rounds=state.round + 1, most=most + (lane != state.lane))
        if again.requests and not manifest.starts_empty and ledger.halted(job_id) is None:
            requests = _write_round(state, manifest, again, store, worst)
            usd = worst.usd if worst else NOTHING
            return Collected(requests, None, lane, usd, escalates=index.escalations is not None)
        return Collected(
            0,
            _join(item, manifest, index, packs, store, ledger, formats, answers_of, rounds=len(keys), reading=reading),
            lane,
        )


def _write_round(
    state: ShardState, manifest: Manifest, again: SendAgain, store: ObjectStore, worst: WorstCase | None
) -> int:
    """Write the next round's create body; return how many requests it has.

    A job that escalates keeps a body that an earlier execution wrote, because it may be on its way. A resumed job has
    more rounds, so its next body could have more rows.
    """
    job_id, shard, escalate = state.job_id, state.shard, manifest.recipe.escalate if manifest.recipe else None
    if escalate is not None:
        known = written_round(job_id, shard, state.round + 1, store=store, worst=worst)
        if known:
            return known
    write_leftovers(
        job_id,
        manifest.shards[shard],
        state.round + 1,
        again=again,
        model=escalate.to if escalate else None,
        store=store,
        worst=worst,
    )
    return again.requests


def _refuse_second(key: str, store: ObjectStore) -> None:
    """Raise ObjectChanged if a round's answers are stored: one download counts, and all joins are of the same lines."""
    if store.exists(key):
        raise ObjectChanged(key)


def _read_again(
    api: Callable[[], BatchReader],
    state: ShardState,
    index: AnswerIndex,
    packs: PackedRounds,
    item: ShardItem,
    store: ObjectStore,
    ledger: Ledger,
    clock: Clock,
) -> None:
    """In a resumed job, read a collected round's results again if some of its requests may be paid."""
    if state.resumes and state.lane == "batch" and state.batch_id and index.rows_perhaps_paid(state.round):
        with halting_on_account_trouble(state.job_id, ledger, clock):
            read_again(state, index, packs, rows=item.rows, api=api(), store=store)


def _fill_from_flushes(
    state: ShardState,
    index: AnswerIndex,
    packs: PackedRounds,
    answers: Writer,
    *,
    store: ObjectStore,
    ledger: Ledger,
) -> None:
    """Index the answers that live workers flushed, then a line for each request without one."""
    flushed = flushed_lines(state.job_id, state.shard, state.round, store=store)
    unanswered = unanswered_lines(state, index, store=store, ledger=ledger)
    rows = partial(packs.rows, state.round)
    index.fill(rows(_kept(flushed, answers)), rows(_kept(unanswered, answers)))


def _fetch(
    api: BatchReader,
    state: ShardState,
    index: AnswerIndex,
    packs: PackedRounds,
    answers: Writer,
    store: ObjectStore,
    ledger: Ledger,
    item: ShardItem,
) -> str | None:
    """Index the API's results. Return when the Message Batch ended, as the API says it.

    Raises ResultsIncomplete, and SubmissionUncertain if they are all another client's.
    """
    submission = ledger.submission(state.job_id, state.shard, state.round)
    try:
        batch = api.retrieve(state.batch_id)
    except MessageBatchLost:
        refuse_lost_elsewhere(state.batch_id, ledger, api)
        raise
    rows = partial(packs.rows, state.round)
    with _keeping_arrived(state, index, store):
        foreign_before = index.foreign
        with closing(api.results(batch)) as blocks:
            index.fill(rows(_kept(blocks, answers)), rows(_kept(unnamed_rows(state, index, store=store), answers)))
        if submission and not index.found and index.foreign > foreign_before:
            refuse_foreign_results(batch, submission, ledger, api)
        expected = submission.requests if submission else item.requests
        more, more_paid = packs.more(state.round)
        if index.found - more == expected and _arrived_before(state, store) == expected + more:
            # Two downloads have a result for every request: the API's counts are wrong, and stay wrong.
            if index.rows_with(Verdict.PERHAPS_PAID):  # the first download may have what this one lacks
                index.extend(rows(_kept(_arrived(state, store), answers)))
            return batch.ended_at
        _check_complete(batch, index, expected, found=index.found - more, paid=index.paid - more_paid)
    return batch.ended_at


def _arrived_before(state: ShardState, store: ObjectStore) -> int:
    """Return how many requests had a result in the attempts before this one."""
    return sum(block.count(b"\n") for block in _arrived(state, store))


def _arrived(state: ShardState, store: ObjectStore) -> Iterator[bytes]:
    """Yield a newline, because the results may lack their last one, and the lines of the attempts before this one."""
    return arrived_lines(JobKeys(state.job_id).arrived_answers(state.shard, state.round), store)


@contextmanager
def _keeping_arrived(state: ShardState, index: AnswerIndex, store: ObjectStore) -> Iterator[None]:
    """Keep the lines that arrived if the context ends because there are too few; the error is raised on.

    The context must begin to read the round: before that, `index` has the lines of the round before.
    """
    try:
        yield
    except (ResultsIncomplete, ApiUnavailable):
        keep_arrived(JobKeys(state.job_id).arrived_answers(state.shard, state.round), index, store)
        raise


def _kept(blocks: Iterable[bytes], answers: Writer) -> Iterator[bytes]:
    """Yield the blocks, and write each to `answers` unchanged."""
    for block in blocks:
        answers.write(block)
        yield block


def _check_complete(batch: MessageBatch, index: AnswerIndex, expected: int, *, found: int, paid: int) -> None:
    """Raise ResultsIncomplete unless the counts agree. `found` and `paid` count the API's own lines.

    Only the counts show a stream that was cut at a line's end, or a broken line that looks unpaid.
    """
    counts = batch.request_counts
    paid += index.nameless_paid
    if not (found == expected == counts.total and paid <= counts.succeeded <= paid + index.unsure):
        message = (
            f"{batch.id}: {found} of {expected} results arrived, {paid} of them answers. The Message Batch "
            f"counts {counts.total} results and {counts.succeeded} answers. Also arrived: {index.repeated} repeated "
            f"lines, {index.foreign} lines of other requests, {index.nameless} lines without a custom_id, and "
            f"{index.broken} lines that are cut or broken"
        )
        raise ResultsIncomplete(message)


def _halt_for_refused_rows(job_id: str, index: AnswerIndex, ledger: Ledger, clock: Clock) -> None:
    """Halt the job if rows of this round failed because of the account. Rounds that are already sent continue.

    Rows that an earlier round refused may still wait: under a cap, a round may hold one request.
    """
    refused = {row for row in index.rows_with(Verdict.ACCOUNT) if index.has_line(row)} | index.refused_again
    if index.escalations is not None:
        refused |= index.escalations.refused
    if refused:
        reason = (
            f"{len(refused):,} rows came back with a billing, authentication or permission error. "
            "Fix the account or the key, then resume the job: only rows without an answer are sent"
        )
        ledger.halt(job_id, Halt(AccountTrouble.__name__, reason, clock.now()))


def _join(
    item: ShardItem,
    manifest: Manifest,
    index: AnswerIndex,
    packs: PackedRounds,
    store: ObjectStore,
    ledger: Ledger,
    formats: Formats,
    answers: AnswersOf | None,
    *,
    rounds: int,
    reading: str,
) -> Tally:
    """Write the shard's part and its run, then its tally: a tally proves that both are complete."""
    job_id = manifest.upload.job_id
    keys, batch_id_of = JobKeys(job_id), batch_ids(job_id, item.shard, ledger)
    prices = effective(manifest.prices)
    sample = lend_sample(item, index, manifest, store, ledger, answers) if item.sampled else ""
    part_key = partial(keys.part, item.shard, rounds, reading=reading, sample=sample)
    noted = noted_rows(manifest, item.rows, answers, reader_of(manifest, formats))
    waits = item.borrowed + (0 if sample else item.sampled)
    if waits:
        noted = None  # the closing joins it again
    if manifest.is_grouped:
        tally = join_group_shard(
            manifest, item, store=store, results=index, unanswered=failed(NO_RESULT), part_key=part_key
        )
    else:
        tally = join_shard(
            job_id,
            item,
            store=store,
            formats=formats_of(manifest, formats),
            results=index,
            unanswered=failed(NO_RESULT),
            part_key=part_key,
            batch_id_of=batch_id_of,
            prices=prices,
            noted=noted,
        )
    name = run_name(part_key)
    tally.stored = store_run(manifest, item.shard, name, index, noted, store=store, answers=answers)
    tally.escalated = index.escalations.counted() if index.escalations is not None else None
    tally.packs = packs.counts()
    tally.perhaps_paid = perhaps_paid_in(
        keys, item.shard, index, manifest=manifest, store=store, batch_id_of=batch_id_of
    )
    tally.sample = sample
    store.write(keys.part_tally(item.shard, rounds, reading=reading), msgspec.json.encode(tally))
    tally.failed -= waits - sum(tally.drawn.values()) * (not sample)  # no metric counts yet who waits for other shards
    return tally.without_drawn()
