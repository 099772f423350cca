"""Real processes, really killed: jobs on the embedded stack, whose functions die by SIGKILL while they work."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import psutil

from batchdrop.adapters.aws.dynamodb import DynamoLedger
from batchdrop.adapters.aws.stepfunctions import StepFunctionsJobStarter
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.resume_job import resume_job
from batchdrop.local.claude_api.testing import Emulator
from batchdrop.local.stack import EmbeddedStack
from tests.faults.books import HttpBooks
from tests.faults.judge import Ending, Judge, Verdict
from tests.faults.schedule import Schedule
from tests.faults.upload import files, inbox_key

SETTLE_SECONDS = 6
SUBMIT_SECONDS = 30
SHARD_ROWS = 3
MOST_SECONDS = 240.0  # for one wave of jobs
MOST_RESUMES = 3
SLOW = 2.0  # real seconds: a call of the API that lasts so long is easily interrupted

# Which function is to die, and the call of the API that is slowed down so that it dies in the middle of it.
TARGETS: dict[str, dict[str, Any] | None] = {
    "submit-shard": {"kind": "accept_then_hang", "endpoint": "batches.create", "seconds": SLOW},
    "settle-submission": {"kind": "slow_body", "endpoint": "batches.list", "seconds": SLOW},
    "poll-batch": {"kind": "slow_body", "endpoint": "batches.retrieve", "seconds": SLOW},
    "collect-results": {"kind": "slow_body", "endpoint": "batches.results", "seconds": SLOW},
    "split-upload": None,
    "close-job": None,
}


@dataclass
class Job:
    """One job of a wave."""

    schedule: Schedule
    record: UploadRecord | None = None
    ending: Ending | None = None
    endings: list[str] = field(default_factory=list)


class Wave:
    """Some jobs at once, and the deaths among their functions."""

    def __init__(self, stack: EmbeddedStack, schedules: list[Schedule], seed: int) -> None:
        self._stack = stack
        self._rng = random.Random(seed)
        self._emulator = Emulator(stack.claude_base_url)
        self._states = stack.clients.stepfunctions()
        self._s3 = stack.clients.s3()
        self._ledger = DynamoLedger(stack.clients.resource("dynamodb").Table(stack.ledger_table))
        self._jobs = [Job(schedule) for schedule in schedules]
        self.killed: list[str] = []

    def run(self, targets: list[str]) -> list[tuple[Job, Verdict]]:
        """Drop the files, kill one process of each target while it works, and judge every job."""
        faults = [fault for name in targets if (fault := TARGETS[name])]
        for fault in faults:
            self._emulator.inject(**fault)
        for job in self._jobs:
            for key, body in sorted(files(job.schedule).items(), reverse=True):  # the recipe before the inbox
                self._s3.put_object(Bucket=self._stack.bucket, Key=key, Body=body)
        self._live(list(targets))
        self._emulator.clear_faults()
        self._emulator.advance(26 * 3600.0)
        return [(job, self._judged(job)) for job in self._jobs]

    def _live(self, targets: list[str]) -> None:
        """Kill when there is something to kill, and resume what ended red, until all jobs are green."""
        deadline = time.monotonic() + MOST_SECONDS
        busy: dict[int, float] = {}
        looked_at = 0.0
        while any(job.ending is None for job in self._jobs):
            assert time.monotonic() < deadline, f"jobs did not end: {[job.endings for job in self._jobs]}"
            for process, name in list(_functions(self._stack)):
                if name in targets and _uses_processor(process, busy) and self._is_at_work(process, name):
                    time.sleep(self._rng.uniform(0, 0.2))
                    self._kill(process, name, targets)
            if time.monotonic() > looked_at + 0.5:
                looked_at = time.monotonic()
                self._look()
            time.sleep(0.02)

    def _is_at_work(self, process: psutil.Process, name: str) -> bool:
        """Tell whether it is past its start: it has called the API if that is its work, or the runtime."""
        with contextlib.suppress(psutil.Error):
            port = urlsplit(self._emulator.base_url).port
            ports = {one.raddr.port for one in process.net_connections("tcp") if one.raddr}
            return port in ports if TARGETS[name] else bool(ports)
        return False

    def _kill(self, process: psutil.Process, name: str, targets: list[str]) -> None:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGKILL)
            self.killed.append(name)
            targets.remove(name)

    def _look(self) -> None:
        executions = self._states.list_executions(stateMachineArn=self._stack.state_machine_arn)["executions"]
        for one in executions:
            if one.get("mapRunArn") or one["status"] == "RUNNING":
                continue
            described: Any = self._states.describe_execution(executionArn=one["executionArn"])
            record = msgspec.json.decode(described["input"], type=UploadRecord)
            for job in self._jobs:
                is_newest = job.record is None or record.resumes > job.record.resumes
                if job.ending is None and record.key == inbox_key(job.schedule) and is_newest:
                    self._note(job, record, described["status"], described.get("error") or "")

    def _note(self, job: Job, record: UploadRecord, status: str, error: str) -> None:
        job.record = record
        job.endings.append(f"{status} {error}".strip())
        if status == "SUCCEEDED" or record.resumes >= MOST_RESUMES:
            objects = self._objects(record)
            job.ending = Ending(status, error, objects, frozenset(objects))
        else:
            starter = StepFunctionsJobStarter(self._states, self._stack.state_machine_arn)
            resume_job(record, ledger=self._ledger, jobs=starter, now=datetime.now(UTC))

    def _objects(self, record: UploadRecord) -> dict[str, bytes]:
        objects = {}
        for prefix in (f"jobs/{record.job_id}/answers/", "results/"):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._stack.bucket, Prefix=prefix):
                for one in page.get("Contents", []):
                    body = self._s3.get_object(Bucket=self._stack.bucket, Key=one["Key"])["Body"].read()
                    objects[one["Key"]] = body
        return objects

    def _judged(self, job: Job) -> Verdict:
        assert job.ending is not None
        assert job.record is not None
        judge = Judge(job.schedule, job.record.job_id, HttpBooks(self._emulator))
        judge.interim(job.ending)
        claims = [sent.batch_id for sent in self._ledger.submissions(job.record.job_id) if sent.batch_id]
        verdict = judge.final(job.ending, claims=claims)
        if job.ending.status != "SUCCEEDED":
            verdict.say(f"the job did not end green: {job.endings}")
        return verdict


def _functions(stack: EmbeddedStack) -> Iterator[tuple[psutil.Process, str]]:
    """Yield the stack's processes that run a function, with its name."""
    assert stack._supervisor is not None
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(pid) == stack._supervisor.pid:
                process = psutil.Process(pid)
                name = process.environ().get("AWS_LAMBDA_FUNCTION_NAME", "")
                if name and not process.children():
                    yield process, name.removeprefix(f"{stack.options.stack_name}-")


def _uses_processor(process: psutil.Process, busy: dict[int, float]) -> bool:
    """Tell whether a process has used the processor since it was last looked at."""
    used = 0.0
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        used = times.user + times.system
    before, busy[process.pid] = busy.get(process.pid), used
    return before is not None and used > before


def table(results: list[tuple[Job, Verdict]], killed: list[str], seconds: float) -> str:
    """Return what `make faults` prints."""
    deaths = ", ".join(f"{name} {killed.count(name)}" for name in sorted(set(killed)))
    lines = [
        ("jobs with real kills", len(results)),
        ("processes killed", len(killed)),
        ("rows", sum(len(job.schedule.rows) for job, _ in results)),
        ("rows lost", sum(verdict.lost for _, verdict in results)),
        ("rows paid twice", sum(verdict.paid_twice for _, verdict in results)),
        ("seconds", round(seconds)),
    ]
    return "\n".join([*(f"{name:<44}{value:>9,}" for name, value in lines), f"killed: {deaths}"])
