"""Serve the console for `benchmarks.console`: one job, whose results are in a filled table, and which always runs.

    python -m benchmarks.console_server FOLDER

It prints its address as JSON. The job's facts are made up; the pages, the events and the table are the product's.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from batchdrop.cli.bucket import Stored
from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.jobs import Job
from batchdrop.cli.run.service import Service
from batchdrop.cli.ui.access import Access
from batchdrop.cli.ui.application import application
from batchdrop.cli.ui.jobs.pages import JobPages
from batchdrop.cli.ui.page import Page
from batchdrop.cli.ui.results.columns import Headings, ResultColumn
from batchdrop.cli.ui.results.filling import Plan
from batchdrop.cli.ui.results.pages import ResultPages
from batchdrop.cli.ui.results.table import ResultTable
from batchdrop.cli.ui.results.tables import Opening, Tables
from batchdrop.cli.ui.session import Session
from batchdrop.cli.ui.stack_in_use import StackInUse
from batchdrop.job.job_progress import ShardProgress
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import ShardItem, UploadRecord
from batchdrop.job.submission import Submission
from batchdrop.ports import ObjectMissing
from benchmarks.quiet_ledger import QuietLedger

JOB = "20261122T120000-0123456789"
START = datetime(2026, 11, 22, 12, tzinfo=UTC)
UPLOAD = UploadRecord(JOB, "bucket", "inbox/r/reviews.csv", "e", 1, START)
ROWS = 1_000_000


def plan_of(folder: Path) -> bytes:
    """Return the plan that fills the table of `output.csv` in a folder."""
    labels = ["positive", "neutral", "negative"]
    new = [
        ResultColumn(place=0, name="label", kind="label", is_new=True, labels=labels, field="label"),
        ResultColumn(place=0, name="sure", kind="number", is_new=True, field="sure"),
        ResultColumn(place=0, name="_status", kind="status", is_new=True),
        ResultColumn(place=0, name="_error", is_new=True),
    ]
    headings = Headings(new, ["id", "text", "stars"], has_header=True)
    return msgspec.json.encode(Plan(str(folder / "output.csv"), str(folder / "rows.duckdb"), headings))


class Executions:
    """Step Functions with one execution, which runs."""

    class exceptions:  # noqa: N801 -- boto3's name
        """The errors that a client knows."""

        ExecutionDoesNotExist = KeyError
        InvalidArn = KeyError

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803 -- boto3's name
        """Return the execution. Raises KeyError."""
        if not executionArn.endswith(f":{JOB}"):
            raise KeyError(executionArn)
        upload = msgspec.json.encode(UPLOAD).decode()
        return {"name": JOB, "executionArn": executionArn, "status": "RUNNING", "startDate": START, "input": upload}


class Bucket:
    """A bucket with a job's manifest."""

    def read(self, key: str) -> bytes:
        """Return the manifest. Raises ObjectMissing for all else."""
        if key != JobKeys(JOB).manifest:
            raise ObjectMissing(key)
        shards = [ShardItem(number, ROWS // 10, ROWS // 10, 1) for number in range(10)]
        split = {"upload": UPLOAD, "shards": shards, "cursor": None, "split_ended_at": START}
        return msgspec.json.encode(split)

    def listed(self, _prefix: str) -> Iterator[Stored]:
        """Return nothing: no round is collected."""
        return iter(())


class OpenLedger(QuietLedger):
    """A ledger with one open round a shard."""

    def submissions(self, job_id: str) -> list[Any]:
        """Return the rounds."""
        made = [Submission(job_id, number, 0, ROWS // 10, "a", START, START) for number in range(10)]
        return [replace(one, batch_id=f"msgbatch_{one.shard}") for one in made]


class NoApprovals:
    """No job waits for approval."""

    def tokens(self, _job_id: str) -> list[str]:
        """Return none."""
        return []


def progress() -> Callable[[str], list[ShardProgress]]:
    """Return the progress of a job that changes at each look."""
    looks = count(1)

    def looked(_job_id: str) -> list[ShardProgress]:
        left = max(0, ROWS // 10 - 100 * next(looks))
        known = {"shard": 0, "round": 0, "stage": "asked", "requests": ROWS // 10, "processing": left}
        known |= {"lane": "batch", "at": START}
        return [msgspec.convert(known, ShardProgress, strict=False)]

    return looked


class FilledTables(Tables):
    """The tables of one job, which is filled already."""

    def __init__(self, table: ResultTable) -> None:
        super().__init__()
        self._open[JOB] = Opening("", table.filled.rows, table=table)

    def opening(self, deployment: Deployment, job: Job) -> Opening:  # noqa: ARG002 -- as the product's
        """Return the table."""
        return self._open[JOB]


def main(folder: Path) -> None:
    """Serve until the process is ended."""
    ledger: Any = OpenLedger()
    approvals: Any = NoApprovals()
    machine = "arn:aws:states:us-east-1:123456789012:stateMachine:batchdrop-job"
    outputs = {"BucketName": "bucket"}
    deployment = Deployment(
        Executions(),
        ledger,
        approvals,
        machine,
        outputs=outputs,
        endpoint_url="http://127.0.0.1:1",
        progress=progress(),
    )
    vars(deployment).update(bucket=Bucket(), store=Bucket())

    @contextmanager
    def opened() -> Iterator[tuple[Deployment, Callable[[], None]]]:
        yield deployment, lambda: None

    stack = StackInUse(opened)
    stack.start()
    session = Session(stack, Service())
    tables = FilledTables(ResultTable(folder / "rows.duckdb"))
    routes = [*ResultPages(session, tables).routes(), *JobPages(session).routes()]
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        host = f"127.0.0.1:{listening.getsockname()[1]}"
        access = Access(f"http://{host}", lambda _: None)
        app = application(session, [Page("Jobs", "/jobs", lambda _: routes)], access, host)
        told = {"entrance": access.entrance, "address": f"http://{host}", "job": f"/jobs/{JOB}"}
        print(json.dumps(told), flush=True)
        config = uvicorn.Config(app, log_level="error", ws="none", lifespan="off", timeout_graceful_shutdown=1)
        uvicorn.Server(config).run(sockets=[listening])
    session.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
