"""The embedded stack for `make invoke`: its address, and the environment of its functions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions

from batchdrop.cli.run.running_stacks import running_stacks
from batchdrop.local.aws_clients import AwsClients
from batchdrop.local.child_environment import ACCOUNT, REGION, SECRET_KEY

STACK = "batchdrop"


class NoStackError(Exception):
    """There is no stack to use; the message says how to start one."""


@dataclass(frozen=True)
class RunningStack:
    """A stack on this machine, whose Claude API is the emulator."""

    endpoint_url: str

    @property
    def clients(self) -> AwsClients:
        """Return a client for one of its services."""
        return AwsClients(self.endpoint_url)

    def environment(self, function: str) -> dict[str, str]:
        """Return a function's environment on the stack, with the addresses of the stack.

        Raises NoStackError, also if the function would use the real API, which costs money.
        """
        try:
            described = self.clients.functions().get_function_configuration(FunctionName=deployed_name(function))
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            raise NoStackError(f"no batchdrop runs at {self.endpoint_url}: {error}") from error
        declared = described["Environment"]["Variables"]
        base_url = declared["ANTHROPIC_BASE_URL"]
        if urlsplit(base_url).hostname != "127.0.0.1":
            raise NoStackError(
                f"the stack at {self.endpoint_url} uses {base_url}, which costs money. make invoke runs "
                "only against the emulator: unset ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL, and `batchdrop up` again"
            )
        keys = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        region = {"AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}
        return {**declared, **keys, **region, "AWS_ENDPOINT_URL": self.endpoint_url}

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Return the answer of the stack's own function; an error is Lambda's JSON error."""
        body = json.dumps(event).encode()
        answer = self.clients.functions().invoke(FunctionName=deployed_name(function), Payload=body)
        return json.loads(answer["Payload"].read())

    @property
    def bucket(self) -> str:
        """Return the stack's bucket."""
        found = self.clients.cloudformation().describe_stacks(StackName=STACK)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}
        return outputs["BucketName"]


def deployed_name(function: str) -> str:
    """Return a function's name on the stack: `poll_batch` is `batchdrop-poll-batch`."""
    return f"{STACK}-{function.replace('_', '-')}"


def find_stack(endpoint_url: str | None) -> RunningStack:
    """Return the stack at this address, or the only `batchdrop up` on this machine. Raises NoStackError."""
    found = [endpoint_url] if endpoint_url else [one.endpoint_url for one in running_stacks()]
    if not found:
        message = "no stack runs here: start `.venv/bin/batchdrop up` in another terminal"
        raise NoStackError(message)
    if len(found) > 1:
        raise NoStackError(f"{len(found)} stacks run here: choose one with ENDPOINT={' or ENDPOINT='.join(found)}")
    return RunningStack(found[0])
