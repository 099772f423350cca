"""Compute function seconds and AWS dollars from counts.

Prices are in aws_prices.json, CPU per row in results/scale_check.json.

Constants below state the assumptions that one machine cannot measure: the latency of S3, DynamoDB and the API, and the
transfer rate.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from batchdrop.answers.tokens import Tokens
from batchdrop.local.sam_template import read_template
from batchdrop.money.cost import dollars
from benchmarks.scale.counts import Counts
from benchmarks.scale.job import SLICES_TAKE, ScaleJob
from benchmarks.scale.stitch import stitched

HERE = Path(__file__).parents[1]
MEMORY_OF_A_CPU = 1_769  # MB: Lambda gives CPU by memory
BYTES_A_SECOND = 50_000_000.0  # assumed: one stream between S3, or the API, and a function
CALL_SECONDS = 0.03  # assumed: S3's first byte; DynamoDB is faster
CALLS_OF = {  # per invocation: AWS and API calls that it waits for in sequence
    "SplitUploadFunction": 12, "SubmitShardFunction": 14, "PollBatchFunction": 8, "PlanSlicesFunction": 5,
    "CollectResultsFunction": 14, "CloseJobFunction": 25, "AnswerRequestsFunction": 10, "ShowProgressFunction": 6,
}  # fmt: skip
START_SECONDS = 0.5  # CPU of a first start with AWS's clients (results/cold_start.json) …
SDK_SECONDS = 2.3  # … and of the Anthropic SDK's import, where there is one
WITH_SDK = {"SubmitShardFunction"}
MODEL = "claude-haiku-5-5"


@dataclass(frozen=True)
class Bill:
    """AWS dollars of one job by service, the GB-seconds of each function, and the API's dollars."""

    usd: dict[str, float]
    gb_seconds: dict[str, float]
    seconds: dict[str, float]
    api_usd: float

    @property
    def total(self) -> float:
        """Return the sum of AWS's dollars."""
        return sum(self.usd.values())


@cache
def prices() -> dict[str, float]:
    """Return AWS's list prices."""
    loaded: dict[str, float] = json.loads((HERE / "aws_prices.json").read_text())["usd"]
    return loaded


@cache
def cpu_by_row() -> dict[str, float]:
    """Return a function's CPU seconds per row, as measured by the check."""
    loaded: dict[str, float] = json.loads((HERE / "results" / "scale_check.json").read_text())["cpu_us_a_row"]
    return {function: micros / 1e6 for function, micros in loaded.items()}


@cache
def _functions() -> dict[str, Any]:
    read = read_template(HERE.parent / "template.yaml")
    return {"Globals": read["Globals"]["Function"], **read["Resources"]}


def days_kept() -> int:
    """Return how long a job's files are paid for: as files, and then as old versions."""
    parameters = read_template(HERE.parent / "template.yaml")["Parameters"]
    return int(parameters["JobFilesDays"]["Default"]) + int(parameters["OldVersionsDays"]["Default"])


def memory_mb(function: str) -> int:
    """Return a function's memory in the template."""
    own = _functions()[function]["Properties"].get("MemorySize")
    return int(own or _functions()["Globals"]["MemorySize"])


def bill_of(job: ScaleJob, counts: Counts) -> Bill:
    """Return the bill of a job."""
    price, seconds = prices(), _seconds(job, counts)
    gb_seconds = {function: took * memory_mb(function) / 1_024 for function, took in seconds.items()}
    arm = _functions()["Globals"]["Architectures"] == ["arm64"]
    usd = {
        "Lambda": sum(gb_seconds.values()) * price["lambda_gb_second_arm" if arm else "lambda_gb_second_x86"]
        + counts.invocations.total() * price["lambda_request"],
        "Step Functions": counts.transitions * price["states_transition"],
        "S3 requests": counts.s3_put * price["s3_put"] + counts.s3_get * price["s3_get"],
        "S3 storage": _kept_bytes(job) / 1e9 * days_kept() / 30 * price["s3_gb_month"],
        "DynamoDB": counts.read_units * price["dynamodb_read_unit"] + counts.write_units * price["dynamodb_write_unit"],
        "SQS": counts.sqs * price["sqs_request"],
        "Logs": counts.log_bytes / 1e9 * price["logs_gb"],
    }
    return Bill(usd, gb_seconds, seconds, float(_api_usd(job)))


def _seconds(job: ScaleJob, counts: Counts) -> dict[str, float]:
    """Return the billed seconds of each function: its CPU at its share of one, its waits for calls, its bytes."""
    moved = _bytes_moved(job)
    found = {}
    for function, times in counts.invocations.items():
        share = min(1.0, memory_mb(function) / MEMORY_OF_A_CPU)
        rows = job.requests if function in {"CollectResultsFunction", "AnswerRequestsFunction"} else job.rows
        start = START_SECONDS + SDK_SECONDS * (function in WITH_SDK)
        cpu = rows * cpu_by_row().get(function, 0.0) + start * min(times, job.shards, job.shard_concurrency)
        waits = times * CALLS_OF[function] * CALL_SECONDS
        found[function] = cpu / share + waits + moved.get(function, 0.0) / BYTES_A_SECOND
    if job.slices:
        cpu = job.requests * cpu_by_row().get("AnswerRequestsFunction", 0.0)
        waits = job.workers * job.requests / job.rate_allowed  # a worker that waits for permits is billed, too
        found["AnswerRequestsFunction"] = max(cpu, job.slices * job.answer_seconds * SLICES_TAKE, waits)
    return found


def _bytes_moved(job: ScaleJob) -> dict[str, float]:
    requests, answers = job.requests * job.request_bytes, job.requests * job.answer_bytes
    rows = job.rows * job.row_bytes
    return {
        "SplitUploadFunction": rows * 2 + job.rows * job.request_bytes,
        "SubmitShardFunction": requests * 2,
        "PlanSlicesFunction": requests,
        "CollectResultsFunction": answers * 2 + rows + job.rows * job.output_bytes,
        "CloseJobFunction": stitched(job).bytes_waited_for,
    }


def _kept_bytes(job: ScaleJob) -> float:
    """Return the bytes below jobs/; the live lane's answers are stored twice, as flushes and as one file."""
    answers = job.requests * job.answer_bytes * (2 if job.lane == "live" else 1)
    return job.requests * job.request_bytes + answers + job.rows * (job.row_bytes + job.output_bytes)


def _api_usd(job: ScaleJob) -> Decimal:
    tokens = Tokens(MODEL, lane=job.lane, input=job.rows * job.input_tokens, output=job.rows * job.output_tokens)
    return dollars([tokens]) or Decimal(0)
