"""Compare the scale model with counts of jobs of 1,000, 10,000 and 100,000 rows on the embedded stack."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from batchdrop.local.claude_api.testing import Emulator
from batchdrop.local.stack import EmbeddedStack, StackOptions
from benchmarks.reviews import RECIPE, write_reviews
from benchmarks.scale.counts import counts_of, states_of_shards
from benchmarks.scale.job import ScaleJob
from benchmarks.stack_counts import Counted, count

WAIT_SCALE = 0.02
SHARD_ROWS = 25_000
# One shard at a time: then each function has one process, and the larger job needs more only for its rows.
OVERRIDES = {"ShardRows": str(SHARD_ROWS), "ShardConcurrency": "1"}
NOT_MODELLED = (
    "calls at a function's first start (secrets), the state machine's own calls, S3's bytes (lists and bodies), "
    "retries, DynamoDB's units (ministack counts none: requests are compared)"
)


@dataclass(frozen=True)
class Case:
    """One job of the check. `errored` is the share of requests that fail and are sent again."""

    lane: Literal["batch", "live"]
    rows: int
    errored: float = 0.0


CASES = (
    Case("batch", 1_000),
    Case("live", 1_000),
    Case("batch", 10_000, errored=0.05),
    Case("batch", 100_000),
)


def checked(cases: tuple[Case, ...] = CASES) -> Iterator[tuple[Case, Counted, dict[str, tuple[float, float]]]]:
    """Run each case; yield it with its counts, and (modelled, counted) for each figure."""
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        options = StackOptions(
            wait_scale=WAIT_SCALE, log_dir=Path(folder) / "logs", logs_requests=True, overrides=OVERRIDES
        )
        with EmbeddedStack(options) as running:
            for lane in ("batch", "live"):
                body = f"{RECIPE}lane: {lane}\n".encode()
                running.clients.s3().put_object(Bucket=running.bucket, Key=f"recipes/{lane}.yaml", Body=body)
            for first in (Case("batch", 1), Case("live", 1)):  # these start the functions, and are not counted
                _run(running, first, Path(folder))
            for case in cases:
                counted = _run(running, case, Path(folder))
                yield case, counted, _compared(case, counted)


def _run(running: EmbeddedStack, case: Case, folder: Path) -> Counted:
    file = folder / f"{case.lane}-{case.rows}.csv"
    write_reviews(file, case.rows)
    Emulator(running.claude_base_url).settings(errored_rate=case.errored)
    counted = count(running, case.lane, file.name, file)
    if counted.status != "SUCCEEDED":
        raise RuntimeError(f"{case}: {counted.status}")
    return counted


def job_of(case: Case, counted: Counted) -> ScaleJob:
    """Return the model's job: sizes, polls and a slice's seconds come from the run, the rest from the case."""
    answers = _size(
        counted, "answers/*.r", ".jsonl"
    )  # excludes the live lane's flushes, which have no round in their names
    calls = counted.invocations["AnswerRequestsFunction"] or 1
    return ScaleJob(
        rows=case.rows,
        lane=case.lane,
        row_bytes=round(_size(counted, "shards/*.rows", "") / case.rows) - 30,
        request_bytes=round(_size(counted, "shards/*.requests", "") / case.rows),
        answer_bytes=round(answers / case.rows),
        output_bytes=round(_size(counted, "parts/*.r", ".csv") / case.rows),
        leftovers=case.errored,
        looks=counted.invocations["PollBatchFunction"],
        slice_seconds=counted.billed_seconds.get("AnswerRequestsFunction", 0.0) / calls,
        open_seconds=counted.seconds,
        shard_rows=SHARD_ROWS,
        shard_concurrency=1,
    )


def _size(counted: Counted, beginning: str, ending: str) -> int:
    return sum(size for name, size in counted.sizes.items() if name.startswith(beginning) and name.endswith(ending))


def _compared(case: Case, counted: Counted) -> dict[str, tuple[float, float]]:
    job = job_of(case, counted)
    model = counts_of(job)
    asked = counted.requests
    pairs: dict[str, tuple[float, float]] = {
        "state transitions": (model.transitions, _transitions(job, counted)),
        "Lambda invocations": (model.invocations.total(), counted.invocations.total()),
        "S3 PUT, POST, LIST": (model.s3_put, asked["s3 PUT"] + asked["s3 POST"] + asked["s3 LIST"]),
        "S3 GET, HEAD": (model.s3_get, asked["s3 GET"] + asked["s3 HEAD"]),
        "DynamoDB requests": (model.dynamodb, asked["dynamodb POST"]),
        "API calls": (model.api.total(), sum(counted.api_calls.values())),
        "log bytes": (model.log_bytes, counted.log_bytes),
    }
    return pairs


def _transitions(job: ScaleJob, counted: Counted) -> int:
    """Return the states entered: the job's from its history, the children's from their function calls."""
    children = states_of_shards(job)
    called: Any = counted.invocations
    real = Counter(children)
    for state, function in TASK_OF.items():
        real[state] = called[function]
    return counted.states.total() + real.total() + 1 + counted.children


TASK_OF = {
    "Submit shard": "SubmitShardFunction",
    "Poll batch": "PollBatchFunction",
    "Plan slices": "PlanSlicesFunction",
    "Answer requests": "AnswerRequestsFunction",
    "Collect results": "CollectResultsFunction",
}
