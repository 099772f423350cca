"""A running stack as its user sees it: drop a file, wait for its job, read what came back."""

import csv
import io
import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import anthropic

from batchdrop.cli.deployment import find_deployment
from batchdrop.cli.job import job_control
from batchdrop.local.child_environment import ACCOUNT, REGION, SECRET_KEY
from batchdrop.local.claude_api.testing import Emulator
from batchdrop.local.stack import EmbeddedStack
from tests.bill_check import BillCheck
from tests.local.polling import eventually

JOB_SECONDS = 150.0  # a job takes about two; the first one, whose functions still start, about twelve


@dataclass(frozen=True)
class EndedJob:
    """A job that has ended: how, and the files it left under `results/`, by name."""

    job_id: str
    execution_arn: str
    status: str
    error: str
    cause: str
    files: dict[str, bytes]

    @cached_property
    def summary(self) -> dict[str, Any]:
        """summary.json; its dollars are exact."""
        loaded: dict[str, Any] = json.loads(self.files["summary.json"], parse_float=Decimal)
        return loaded

    @property
    def table(self) -> list[list[str]]:
        """output.csv, header first."""
        return list(csv.reader(io.StringIO(self.files["output.csv"].decode(), newline="")))

    @property
    def failed_rows(self) -> list[dict[str, Any]]:
        """failed.jsonl, line by line."""
        return [json.loads(line) for line in self.files["failed.jsonl"].splitlines()]

    @property
    def answers(self) -> list[dict[str, Any]]:
        """output.jsonl, line by line."""
        return [json.loads(line) for line in self.files["output.jsonl"].splitlines()]


class Bench:
    """The stack under test, and the emulator that judges it."""

    def __init__(self, stack: EmbeddedStack) -> None:
        self.stack = stack
        self.claude = Emulator(stack.claude_base_url)
        self.s3 = stack.clients.s3()
        self.states = stack.clients.stepfunctions()
        self._jobs: dict[str, str] = {}
        self._bill = BillCheck(self.claude)

    def reset(self) -> None:
        """Make the emulator as good as new."""
        self.claude.reset()
        self._bill = BillCheck(self.claude)

    def recipe(self, name: str, text: str) -> None:
        """Upload a recipe."""
        self.s3.put_object(Bucket=self.stack.bucket, Key=f"recipes/{name}.yaml", Body=text.encode())

    def drop(self, key: str, body: bytes) -> None:
        """Upload a file; under `inbox/` that starts a job. Each test drops at keys of its own."""
        self.s3.put_object(Bucket=self.stack.bucket, Key=key, Body=body)

    def run(self, key: str, body: bytes) -> EndedJob:
        """Drop a file and wait for the end of its job."""
        self.drop(key, body)
        return self.ended_job(key)

    def jobs(self) -> dict[str, str]:
        """The execution of each job there ever was, by the key of its upload (the newest, if a key has several)."""
        for one in self.executions():
            if one["executionArn"] not in self._jobs:
                described = self.states.describe_execution(executionArn=one["executionArn"])
                self._jobs[one["executionArn"]] = json.loads(described["input"])["key"]
        return {key: arn for arn, key in self._jobs.items()}

    def executions(self) -> list[Any]:
        """Every job's execution, oldest first; without the Map's children."""
        pages = self.states.get_paginator("list_executions").paginate(stateMachineArn=self.stack.state_machine_arn)
        found = [one for page in pages for one in page["executions"] if not one.get("mapRunArn")]
        return sorted(found, key=lambda one: one["startDate"])

    def started_job(self, key: str) -> str:
        """Wait until an upload has its job; its execution."""
        return eventually(lambda: self.jobs().get(key), seconds=JOB_SECONDS, what=f"the start of {key}'s job") or ""

    def ended_job(self, key: str) -> EndedJob:
        """Wait for the end of an upload's job."""
        arn = self.started_job(key)
        return self._ended(arn, arn.rsplit(":", 1)[-1])

    def resumed(self, job_id: str) -> EndedJob:
        """Resume a job as `batchdrop resume` does, and wait for its end."""
        deployment = find_deployment("batchdrop", region=None, endpoint_url=self.stack.endpoint_url)
        job_control.resume(deployment, job_id)
        newest = self.executions()[-1]
        return self._ended(newest["executionArn"], job_id)

    def ended_execution(self, arn: str, job_id: str) -> EndedJob:
        """Wait for the end of an execution; what it left."""
        return self._ended(arn, job_id)

    def _ended(self, arn: str, job_id: str) -> EndedJob:
        eventually(
            lambda: self.states.describe_execution(executionArn=arn)["status"] != "RUNNING",
            seconds=JOB_SECONDS,
            what=f"the end of job {job_id}",
        )
        ended = self.states.describe_execution(executionArn=arn)
        found = {name: self.read(name) for name in self.keys("results/") if f"/{job_id}/" in name}
        files = {name.rsplit("/", 1)[-1]: body for name, body in found.items()}
        job = EndedJob(job_id, arn, ended["status"], ended.get("error", ""), ended.get("cause", ""), files)
        self._bill.check(job_id, files.get("summary.json"))
        return job

    def keys(self, prefix: str) -> list[str]:
        """Every key under a prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.stack.bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        """A whole object."""
        return self.s3.get_object(Bucket=self.stack.bucket, Key=key)["Body"].read()

    def history(self, execution_arn: str) -> list[Any]:
        """Every event of an execution, in order."""
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=execution_arn)
        return [event for page in pages for event in page["events"]]

    def sdk(self, key: str = "somebody") -> anthropic.Anthropic:
        """The official client, as another user of the same account; it never retries."""
        if not self.stack.options.workspace:
            return anthropic.Anthropic(api_key=key, base_url=self.claude.base_url, max_retries=0)
        return anthropic.AnthropicAWS(
            aws_access_key=ACCOUNT,
            aws_secret_key=SECRET_KEY,
            aws_region=REGION,
            workspace_id=self.stack.options.workspace,
            base_url=self.claude.base_url,
            max_retries=0,
        )

    def refuse_the_stack(self, *, refuses: bool = True) -> None:
        """Have the API refuse the stack's key, or its roles' credentials; or accept them again."""
        self.claude.settings(
            accepted_keys=["another"] if refuses else None, aws_expired_keys=[ACCOUNT] if refuses else []
        )

    def creates(self) -> int:
        """How often the emulator was asked to create a Message Batch, whatever it answered."""
        return sum(self.claude.call_summary()["by_endpoint"].get("batches.create", {}).values())


def csv_of(texts: list[str]) -> bytes:
    """A CSV file with one column, `text`, for texts that need no quotes."""
    return "".join(f"{text}\n" for text in ["text", *texts]).encode()
