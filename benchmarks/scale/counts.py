"""Count a job's AWS requests: states, history events, calls. Each line follows from the code that it names.

`benchmarks.scale.check` compares these with counts on the embedded stack.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from batchdrop.adapters.aws.s3_multipart import PART
from batchdrop.live_lane.answer_flushes import FLUSH_LINES
from benchmarks.scale.job import ScaleJob
from benchmarks.scale.stitch import stitched

SPLIT_ROWS_AN_INVOCATION = 15_000_000  # 840 s at about 50 us a row
PERMITS_A_SECOND = 2.0  # lots that a busy worker draws (live_lane/fleet_permits.py: LEAD, LOT_SECONDS)
SLICE_MESSAGES = 3  # SQS: send, receive, delete
LOG_BYTES = {  # per invocation: Lambda's three lines, one of ours, a metric if any; as measured
    "SplitUploadFunction": 700, "SubmitShardFunction": 1_200, "PollBatchFunction": 800, "PlanSlicesFunction": 800,
    "AnswerRequestsFunction": 1_030, "ShowProgressFunction": 600,
    "CollectResultsFunction": 1_200, "CloseJobFunction": 1_800,
}  # fmt: skip
READ_UNIT, WRITE_UNIT = 4_096, 1_024  # DynamoDB: bytes per unit of a consistent read, and of a write
PLACE_BYTES = 90  # of one shard's place in the processing queue's item
SUBMISSION_BYTES = 400
PROGRESS_BYTES = 300  # of one shard's progress
TASK, PLAIN, EXECUTION = (
    5,
    2,
    2,
)  # history events of a function's state, of another state, of an execution's start and end
MAP_RUN, INLINE_MAP, ITERATION = 6, 4, 2
TOKEN_TASK = 6  # entered, scheduled, started, submitted, succeeded, exited
TASKS = {"Split upload", "Submit shard", "Plan slices", "Poll batch", "Collect results", "Close job"}


@dataclass(frozen=True)
class Counts:
    """A job's counts. `invocations` are by function's name in the template, requests by kind."""

    transitions: int
    largest_history: int
    invocations: Counter[str]
    s3_put: int
    s3_get: int
    dynamodb: int
    read_units: int
    write_units: int
    sqs: int
    api: Counter[str]
    log_bytes: int


def counts_of(job: ScaleJob) -> Counts:
    """Return the counts of a job."""
    top, child = states_of_job(job), states_of_shards(job)
    functions = _invocations(job)
    reads, writes, queries = _ledger(job)
    return Counts(
        # The start of each execution is counted as one transition, to be safe.
        transitions=top.total() + child.total() + 1 + job.shards,
        largest_history=max(events_of(top), _largest_child(job)),
        invocations=functions,
        s3_put=_s3_put(job),
        s3_get=_s3_get(job),
        dynamodb=queries,
        read_units=reads,
        write_units=writes,
        sqs=job.slices * SLICE_MESSAGES,
        api=_api(job),
        log_bytes=_log_bytes(functions),
    )


def states_of_job(job: ScaleJob) -> Counter[str]:
    """Return how often the job's own execution enters each state."""
    splits = math.ceil(job.rows / SPLIT_ROWS_AN_INVOCATION)
    once = ("Send every shard", "Was it the sample?", "Close job", "Did the job succeed?", "Job succeeded")
    return Counter({"Split upload": splits, "Is the file split?": splits, **dict.fromkeys(once, 1)})


def states_of_shards(job: ScaleJob) -> Counter[str]:
    """Return how often the Map's children enter each state in total."""
    return _states(job, job.shards, job.all_looks, job.turns, job.slices)


def _states(job: ScaleJob, shards: int, looks: int, turns: int, slices: int) -> Counter[str]:
    rounds = shards * job.rounds_asked
    common = {"Anything to send?": shards, "Which lane?": rounds + turns, "Collect results": rounds}
    common |= {"Are there leftovers?": rounds, "Shard done": shards}
    if job.lane == "live":
        asked = dict.fromkeys(("Plan slices", "Is the round planned?", "Answer slices"), rounds)
        return Counter(common | asked | {"Answer requests": slices, "Slice answered": slices})
    asked = dict.fromkeys(("Submit shard", "Is the shard submitted?"), rounds + turns)
    looked = {"Wait for Message Batch": looks, "Poll batch": looks, "Has the Message Batch ended?": rounds + looks}
    return Counter(common | asked | looked | ({"Wait for its turn": turns} if turns else {}))


def events_of(states: Counter[str]) -> int:
    """Return the history events of an execution with these states, by AWS's rule."""
    return EXECUTION + sum(times * _events_of_state(name) for name, times in states.items())


def _events_of_state(name: str) -> int:
    match name:
        case "Send every shard":
            return MAP_RUN
        case "Answer slices":
            return INLINE_MAP
        case "Answer requests":
            return TOKEN_TASK + ITERATION
        case _:
            return TASK if name in TASKS else PLAIN


def _largest_child(job: ScaleJob) -> int:
    looks = 0 if job.lane == "live" else math.ceil(job.all_looks / job.shards)
    slices = sum(job.slices_by_round) if job.lane == "live" else 0
    return events_of(_states(job, 1, looks, job.most_turns, slices))


def _invocations(job: ScaleJob) -> Counter[str]:
    rounds, splits = job.shards * job.rounds_asked, math.ceil(job.rows / SPLIT_ROWS_AN_INVOCATION)
    found = Counter({"SplitUploadFunction": splits + 1, "CollectResultsFunction": rounds, "CloseJobFunction": 1})
    if job.lane == "live":
        found += Counter({"PlanSlicesFunction": rounds, "AnswerRequestsFunction": job.slices})
        return found + Counter({"ShowProgressFunction": job.drawings})
    return found + Counter({"SubmitShardFunction": rounds + job.turns, "PollBatchFunction": job.all_looks})


def _puts(size: float) -> int:
    """Return the requests to write an object: one put, or create, parts and complete (adapters/s3.py)."""
    return 1 if size < PART else 2 + math.ceil(size / PART)


def _s3_put(job: ScaleJob) -> int:
    """Return the requests at the price of a put, including listings."""
    first, *later = job.requests_by_round
    row, rows = job.row_bytes, job.rows / job.shards
    split = _puts(first * job.request_bytes) + _puts(rows * (row + 30))
    answers = sum(_puts(requests * job.answer_bytes) for requests in (first, *later))
    leftovers = sum(_puts(requests * job.request_bytes) for requests in later)
    joined = _puts(rows * job.output_bytes) + 2
    live = _flushes(job) + sum(job.slices_by_round) + job.rounds_asked if job.lane == "live" else 0
    # output and failed; summary, closing, two pages; shards.json, manifest; the page while the job runs
    whole = stitched(job).puts + 4 + 2 + job.drawings
    return job.shards * (split + answers + leftovers + joined + live) + whole


def _flushes(job: ScaleJob) -> int:
    """Return a shard's flushes in the live lane."""
    return sum(math.ceil(requests / FLUSH_LINES) for requests in job.requests_by_round)


def _s3_get(job: ScaleJob) -> int:
    """Return GET and HEAD requests: the reads of each use case, in order."""
    rounds = job.rounds_asked
    split = 5
    asked = 4 * rounds + 3 * job.turns / job.shards  # submit: answers?, size, manifest, body
    collected = (
        2 * rounds + rounds * (rounds - 1) / 2 + (rounds - 1) + 1
    )  # manifest, answers?, earlier, leftovers, rows
    closed = rounds + 1 + 1  # answers?, tally
    if job.lane == "live":
        asked = 3 * rounds + sum(job.slices_by_round)  # plan: answers?, manifest, body; each slice: its range
        collected += _flushes(job) + rounds  # and the round's requests, to find those without an answer
    pages = 3 * job.drawings + 4  # manifest, what stands there, closing; at the end two of them
    return round(split + job.shards * (asked + collected + closed) + stitched(job).gets + 11 + pages)


def _ledger(job: ScaleJob) -> tuple[int, int, int]:
    """Return DynamoDB's read units, write units and requests."""
    rounds, shards = job.shards * job.rounds_asked, job.shards
    again = rounds - shards
    place = math.ceil(min(shards, job.shard_concurrency) * PLACE_BYTES / WRITE_UNIT)
    listed = math.ceil(rounds * SUBMISSION_BYTES / READ_UNIT)
    if job.lane == "live":
        draws = 2 + round(job.seconds_a_slice * PERMITS_A_SECOND)
        reads = rounds * 2 + again + rounds + job.slices * (1 + job.beats) + 4 + 3 * job.drawings
        # A heartbeat renews the lease, and checks whether the page is due; round starts and shard ends are noted.
        writes = job.slices * (2 + 2 * job.beats + draws) + rounds + shards
        return reads, writes, reads + writes
    # submit: submission, halt, queue (read, write), intent, both in one transaction (two units each), what stands then
    reads, writes = rounds * 4 + job.turns * 3, rounds * (place + 1 + 4) + job.turns * place
    requests = rounds * 7 + job.turns * 4
    # poll: the halt, or at the end the queue (read, write)
    reads, writes, requests = reads + job.all_looks, writes + rounds * place, requests + job.all_looks + rounds
    # collect: submission, collected, the next round's; leftovers ask for a halt
    reads, writes, requests = reads + rounds * 2 + again, writes + rounds, requests + rounds * 3 + again
    # The running job's page: each poll and each end of a shard notes the progress; each poll checks whether to draw.
    noted = math.ceil(shards * PROGRESS_BYTES / READ_UNIT)
    reads, writes = reads + job.drawings * (noted + 1), writes + 2 * job.all_looks + shards
    requests += 2 * job.all_looks + shards + 2 * job.drawings
    return reads + 3 + listed, writes, requests + 4


def _api(job: ScaleJob) -> Counter[str]:
    rounds = job.shards * job.rounds_asked
    if job.lane == "live":
        return Counter({"messages.create": round(job.requests)})
    return Counter({"batches.create": rounds, "batches.retrieve": job.all_looks + rounds, "batches.results": rounds})


def _log_bytes(invocations: Counter[str]) -> int:
    return sum(times * LOG_BYTES[name] for name, times in invocations.items())
