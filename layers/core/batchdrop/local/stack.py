"""The embedded stack: the project's own template, deployed on this machine.

    with EmbeddedStack(StackOptions(wait_scale=0.02)) as stack:
        stack.clients.s3().upload_file("reviews.csv", stack.bucket, "inbox/sentiment/reviews.csv")

It is one process tree: a supervisor in a session of its own, and below it ministack, the emulator of the Claude API and
the functions' processes. When the process that owns the stack ends, for any reason, the tree ends with it.
"""

import contextlib
import json
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from batchdrop.local.application import application_folder
from batchdrop.local.aws_clients import AwsClients
from batchdrop.local.child_environment import ACCOUNT, REGION, SECRET_KEY
from batchdrop.local.claude_credentials import KeptCredentials
from batchdrop.local.deploy import DeployError, deploy, function_names
from batchdrop.local.function_logs import write_function_logs
from batchdrop.local.function_stats import FunctionStats, read_stats
from batchdrop.local.package import ANSWERS_FILE, CREDENTIALS_FILE, LEDGER_FILE, package
from batchdrop.local.stack_spec import StackReport, StackSpec
from batchdrop.local.state_folder import StateFolder
from batchdrop.local.supervise import STATS_FILE
from batchdrop.local.supervisor_process import SupervisorProcess
from batchdrop.settings import AWS

_ANY_KEY = "sk-ant-local-emulator"


class StackError(Exception):
    """The stack did not start, or has ended; the message says why and where the logs are."""


@dataclass(frozen=True, kw_only=True)
class StackOptions:
    """Options of a stack.

    `wait_scale`: seconds per second of a wait in the state machine; the emulator's clock is faster by the same factor.
    `anthropic_base_url`: a service to use instead of the emulator; needs `anthropic_api_key`, or with provider aws
    `claude_credentials`, the user's AWS credentials (of botocore), and `claude_region`.
    `workspace`: the workspace on Claude Platform on AWS; with one, the provider is aws.
    `claude_arguments`: more arguments for the emulator.
    `ministack_port`: None for any free port.
    `log_dir`: a folder for logs, which is kept; None for a temporary one.
    `overrides`: template parameters by name.
    `logs_requests`: whether ministack logs each request.
    `state`: a folder for the bucket and the ledger, so that the next stack there continues with them; None for a
    stack that leaves nothing behind. The template's other resources, and the API key, are never stored.
    `answers_file`: a SQLite file for the answer store, which other stacks may share; None for the stack's own bucket.
    `aws_calls`: a file in which the functions record their AWS calls; None to record none.
    `commands`: commands by name that its reports show, for a stack that has ended when they are read; None for those
    that name this stack.
    `keeps_open`: file descriptors that the stack's own processes hold until they end, such as a lock's.
    """

    wait_scale: float = 0.02
    anthropic_base_url: str | None = None
    anthropic_api_key: str | None = None
    workspace: str = ""
    claude_credentials: Any = None
    claude_region: str = ""
    claude_arguments: tuple[str, ...] = ()
    ministack_port: int | None = None
    log_dir: Path | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    template: Path = field(default_factory=lambda: application_folder() / "template.yaml")
    stack_name: str = "batchdrop"
    logs_requests: bool = False
    state: StateFolder | None = None
    answers_file: Path | None = None
    aws_calls: Path | None = None
    commands: Mapping[str, str] | None = None
    keeps_open: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.wait_scale <= 0:
            raise ValueError(f"wait_scale must be more than 0, not {self.wait_scale}")
        if self.anthropic_base_url and not (self.claude_credentials if self.workspace else self.anthropic_api_key):
            needed = "claude_credentials" if self.workspace else "anthropic_api_key"
            raise ValueError(f"{self.anthropic_base_url} needs {needed}: it is not the emulator")


class EmbeddedStack:
    """A running stack. Use it as a context manager, or call `start` and `shutdown`."""

    def __init__(self, options: StackOptions | None = None) -> None:
        self.options = options or StackOptions()
        self.region = REGION
        self.outputs: dict[str, str] = {}
        self._temp_dir = Path(tempfile.gettempdir()) / f"batchdrop-{uuid.uuid4().hex}"
        self.log_dir = (self.options.log_dir or self._temp_dir / "logs").absolute()
        self._report = StackReport()
        self._function_names: dict[str, str] = {}
        self._supervisor: SupervisorProcess | None = None
        self._credentials: KeptCredentials | None = None

    @property
    def endpoint_url(self) -> str:
        """Return the endpoint of all AWS APIs."""
        return self._report.endpoint_url

    @property
    def claude_base_url(self) -> str:
        """Return the base URL of the Claude API: the emulator's, or the one in the options."""
        return self.options.anthropic_base_url or self._report.claude_base_url or ""

    @property
    def clients(self) -> AwsClients:
        """Return the maker of boto3 clients for this stack."""
        return AwsClients(self.endpoint_url)

    def client(self, service: str) -> Any:
        """Return a boto3 client for this stack, by boto3's service name."""
        return self.clients.client(service)

    @property
    def bucket(self) -> str:
        """Return the template's bucket."""
        return self.outputs["BucketName"]

    @property
    def state_machine_arn(self) -> str:
        """Return the template's state machine."""
        return self.outputs["JobStateMachineArn"]

    @property
    def ledger_table(self) -> str:
        """Return the template's table."""
        return self.outputs["LedgerTableName"]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    def start(self) -> Self:
        """Start the processes, deploy the template and set the API key. Raises StackError."""
        try:
            if self.options.state:
                self.options.state.prepare()
            self._supervisor = self._started_supervisor()
            self._deploy(self._supervisor)
        except BaseException:
            self.shutdown()
            raise
        return self

    def shutdown(self) -> None:
        """End every process and remove the stack's directory; `log_dir` is kept.

        The functions' logs are written first. Repeated calls do nothing.
        """
        supervisor, self._supervisor = self._supervisor, None
        if self._credentials is not None:
            self._credentials.stop()
        if supervisor is not None:
            try:
                if self.outputs and supervisor.is_alive():
                    # Failing to write the logs must not keep the stack from ending.
                    with contextlib.suppress(Exception):
                        self.write_function_logs()
            finally:
                supervisor.end()
        # The supervisor has removed it, unless it was killed.
        shutil.rmtree(self._temp_dir, ignore_errors=True)

    def check_alive(self) -> None:
        """Raise StackError if the stack's processes have ended."""
        if self._supervisor is None or not self._supervisor.is_alive():
            raise StackError(f"The embedded stack has ended.{self._see_logs()}")

    def function_stats(self) -> list[FunctionStats]:
        """Return peak memory and CPU time of each function so far, by its name in the template."""
        return [
            replace(one, function=self._function_names.get(one.function, one.function))
            for one in read_stats(self.log_dir / STATS_FILE)
        ]

    def write_function_logs(self) -> list[Path]:
        """Write each function's logs so far to a file in `log_dir`; return the files."""
        return write_function_logs(self.clients, self.log_dir)

    def _started_supervisor(self) -> SupervisorProcess:
        own_service = self.options.anthropic_base_url
        speed = ("--speed", f"{1 / self.options.wait_scale:g}")
        return SupervisorProcess(
            StackSpec(
                temp_dir=self._temp_dir,
                log_dir=self.log_dir,
                wait_scale=self.options.wait_scale,
                ministack_port=self.options.ministack_port,
                claude_arguments=None if own_service else (*speed, *self._provider(), *self.options.claude_arguments),
                logs_requests=self.options.logs_requests,
                bucket_data=self.options.state.bucket_data.absolute() if self.options.state else None,
                aws_calls=self.options.aws_calls,
                commands="" if self.options.commands is None else json.dumps(dict(self.options.commands)),
                keeps_open=self.options.keeps_open,
            )
        )

    def _provider(self) -> tuple[str, ...]:
        """Return the emulator's arguments for provider aws: it accepts the credentials of the stack's functions."""
        if not self.options.workspace:
            return ()
        return ("--provider", AWS, "--aws-region", REGION, "--aws-credentials", f"{ACCOUNT}:{SECRET_KEY}")

    def _deploy(self, supervisor: SupervisorProcess) -> None:
        self._report = supervisor.await_report()
        if self._report.error:
            raise StackError(f"The embedded stack did not start: {self._report.error}{self._see_logs()}")
        packaged = package(self.options.template, self._temp_dir / "layers")
        parameters = {"AnthropicBaseUrl": self.claude_base_url} | dict(self.options.overrides)
        if self.options.workspace:
            parameters |= {"Provider": AWS, "WorkspaceId": self.options.workspace}
        if self.options.claude_credentials:
            path = self._temp_dir / "claude-credentials.json"
            self._credentials = KeptCredentials(self.options.claude_credentials, self.options.claude_region, path)
            self._credentials.start()
            parameters[CREDENTIALS_FILE] = str(path.absolute())
        if self.options.state:
            parameters[LEDGER_FILE] = str(self.options.state.ledger_file.absolute())
        if self.options.answers_file:
            parameters[ANSWERS_FILE] = str(self.options.answers_file.absolute())
        try:
            self.outputs = deploy(packaged, self.clients, stack_name=self.options.stack_name, parameters=parameters)
        except DeployError as error:
            raise StackError(f"The template was not deployed: {error}{self._see_logs()}") from error
        self._function_names = function_names(self.clients, self.options.stack_name)
        if "ApiKeySecretArn" in self.outputs:
            self._set_api_key()

    def _see_logs(self) -> str:
        return f" See the logs in {self.log_dir}." if self.options.log_dir else ""

    def _set_api_key(self) -> None:
        self.clients.secretsmanager().put_secret_value(
            SecretId=self.outputs["ApiKeySecretArn"], SecretString=self.options.anthropic_api_key or _ANY_KEY
        )
