"""Runs a function's handler in this process, as Lambda would: its environment from the template, its log caught."""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from batchdrop import bootstrap
from batchdrop.adapters.aws import clients
from batchdrop.local.claude_api.testing import RunningEmulator
from batchdrop.settings import AWS
from tests.aws import REGION, client, dynamodb
from tests.callers import WORKSPACE
from tests.project import ROOT, event, template
from tests.tables import create_ledger_table

BUCKET = "batchdrop-000000000000-us-east-1"
SECRET = "api-key"
API_KEY = "sk-ant-test-key"
UPLOAD: dict[str, Any] = event("close_job")["upload"]
STATE: dict[str, Any] = event("submit_shard")
ROLE = "arn:aws:iam::123456789012:role/job"


@dataclass
class Context:
    """What Lambda tells a handler about its invocation."""

    function_name: str
    memory_limit_in_mb: int = 1769
    aws_request_id: str = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    remaining: int = 900_000

    @property
    def invoked_function_arn(self) -> str:
        """Return the function's ARN."""
        return f"arn:aws:lambda:{REGION}:000000000000:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that the invocation may still take."""
        return self.remaining


@dataclass
class Cloud:
    """AWS as moto serves it, with the resources of the template, and the emulated Claude API."""

    s3: Any
    table: Any
    states: Any
    machine_arn: str
    emulator: RunningEmulator

    @property
    def provider(self) -> str:
        """Return the provider that the emulator is now; the template's parameter has the same value."""
        return self.emulator.state.settings.provider

    def put(self, key: str, body: bytes) -> dict[str, Any]:
        """Write an object; return the job's record as if S3 had told of it."""
        etag = self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)["ETag"].strip('"')
        return {**UPLOAD, "key": key, "etag": etag, "size": len(body)}

    def get(self, key: str) -> bytes:
        """Return an object."""
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def executions(self) -> list[str]:
        """Return the names of the jobs that were started."""
        return [one["name"] for one in self.states.list_executions(stateMachineArn=self.machine_arn)["executions"]]


def use_aws(emulator: RunningEmulator) -> None:
    """Make the emulator Claude Platform on AWS, for the credentials of moto's functions."""
    emulator.settings(provider=AWS, aws_credentials=["FOOBARKEY:FOOBARSECRET"])  # moto sets these in the environment


def cloud(emulator: RunningEmulator, client: Callable[[Any], Any] = client, tables: Any = None) -> Cloud:
    """Create what the template creates, with these clients; without any, call it inside moto's mock."""
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)
    client("secretsmanager").create_secret(Name=SECRET, SecretString=API_KEY)
    states = client("stepfunctions")
    machine = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    arn = states.create_state_machine(name="batchdrop-job", definition=machine, roleArn=ROLE)["stateMachineArn"]
    table = create_ledger_table(tables or dynamodb())
    return Cloud(s3, table, states, arn, emulator)


def declared_variables(function: str) -> set[str]:
    """Return the environment variables that the template gives a function."""
    resource = template()["Resources"]["".join(word.title() for word in function.split("_")) + "Function"]
    own = resource["Properties"].get("Environment", {}).get("Variables", {})
    return {*template()["Globals"]["Function"]["Environment"]["Variables"], *own}


def environment(cloud: Cloud) -> dict[str, str]:
    """Return every variable that the template gives some function."""
    return {
        "BUCKET_NAME": BUCKET,
        "LEDGER_TABLE": "ledger",
        "CLAUDE_PROVIDER": cloud.provider,
        "API_KEY_SECRET_ARN": SECRET,
        "ANTHROPIC_BASE_URL": cloud.emulator.base_url,
        "ANTHROPIC_WORKSPACE_ID": WORKSPACE if cloud.provider == AWS else "",
        "SHARD_CONCURRENCY": "40",
        "AWS_ENDPOINT_URL": "",
        "POWERTOOLS_SERVICE_NAME": "batchdrop",
        "POWERTOOLS_METRICS_NAMESPACE": "batchdrop",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "STATE_MACHINE_ARN": cloud.machine_arn,
        "SHARD_ROWS": "2",
        "LIVE_ROWS": "0",
        "SPLIT_TIME_RESERVE": "60",
        "LIVE_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/000000000000/live",
        "LIVE_SHARE": "1",
        "KEEP_RAW_ANSWERS": "false",
        "QUEUE_REQUESTS": "100",
        "STACK_NAME": "batchdrop",
        "SHOW_PROGRESS_FUNCTION": "batchdrop-show-progress",
        "SETTLE_SECONDS": "0",  # the functions live by the real clock, the emulator by its own
    }


ABSENT = {"HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"}  # variables that exist only with a parameter of the stack


def set_environment(function: str, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables that the template declares for this function, and unset those that it does not."""
    values = environment(cloud)
    declared = declared_variables(function) - ABSENT
    assert declared <= values.keys(), "the template has a variable that this test does not know"
    for name, value in values.items():
        if name in declared:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name, raising=False)
    if cloud.provider == AWS:
        monkeypatch.delenv("API_KEY_SECRET_ARN", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_REGION", REGION)
    bootstrap.configuration.cache_clear()


def forget() -> None:
    """Make the next invocation a cold start: nothing that was built before is kept."""
    for built in (
        bootstrap.configuration,
        bootstrap.object_store,
        bootstrap.ledger,
        bootstrap.job_starter,
        bootstrap._batch_creator_with,
        bootstrap._batch_reader_with,
        bootstrap._message_api_with,
        bootstrap._ledger_table,
        bootstrap.leases,
        bootstrap.permits,
        bootstrap.shared_states,
        bootstrap.progress_board,
        bootstrap.live_queue,
        bootstrap.approvals,
        bootstrap.job_events,
        bootstrap.open_jobs,
        bootstrap.page_drawer,
        bootstrap._secrets,
        bootstrap._signer,
        clients._session,
    ):
        built.cache_clear()


def load(function: str) -> ModuleType:
    """Import `functions/<function>/app.py` by its path."""
    spec = importlib.util.spec_from_file_location(f"app_{function}", ROOT / "functions" / function / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Functions:
    """The functions in one process, each with an environment of its own; adapters stay warm, as in Lambda."""

    def __init__(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud = cloud
        self.log: list[dict[str, Any]] = []
        self._monkeypatch = monkeypatch

    def invoke(self, function: str, given: dict[str, Any], *, remaining: int = 900_000) -> dict[str, Any]:
        """Invoke a function with an event, through JSON as Lambda does; its log lines are in `log`, errors or not."""
        set_environment(function, self.cloud, self._monkeypatch)
        module = load(function)
        stream = io.StringIO()
        module.logger.registered_handler.setStream(stream)
        try:
            answer = module.handler(json.loads(json.dumps(given)), Context(function, remaining=remaining))
        finally:
            self.log += [json.loads(line) for line in stream.getvalue().splitlines()]
        answered: dict[str, Any] = json.loads(json.dumps(answer))
        return answered
