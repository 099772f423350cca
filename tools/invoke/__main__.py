"""Invoke one function, as built by `sam build`, with its event, against a running `batchdrop up`.

    python -m tools.invoke FUNCTION [--event FILE] [--endpoint-url URL] [--under sam | runtime]

The answer goes to stdout, the event and the function's log to stderr. The exit code is 0 only if the function answered
without an error.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tools.invoke.artifacts import FUNCTIONS, BuildError, built
from tools.invoke.running_stack import NoStackError, RunningStack, find_stack
from tools.invoke.runtime import NotRunningError, running
from tools.invoke.steps import JobSteps, StepError
from tools.invoke.under_sam import SamError, can_reach_stack, invoke_under_sam
from tools.invoke.waiting_task import token_of_waiting_task

PAUSE_SECONDS = 1.0
PYTHON = (3, 13)  # Lambda's version, for which the layers are built


def main(arguments: Sequence[str] | None = None) -> int:
    """Invoke the function and print its answer; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.invoke", description="Invoke one function with its event.")
    parser.add_argument("function", choices=FUNCTIONS, metavar="FUNCTION", help=", ".join(FUNCTIONS))
    parser.add_argument("--event", type=Path, help="a file; events/FUNCTION.json, filled in, unless given")
    parser.add_argument("--endpoint-url", help="the stack's; the one `batchdrop up` that runs here, unless given")
    parser.add_argument("--under", choices=["sam", "runtime"], help="sam where Docker Desktop runs, unless given")
    options = parser.parse_args(arguments)
    try:
        answer = _invoked(options.function, find_stack(options.endpoint_url), options.event, options.under)
    except (NoStackError, BuildError, StepError, NotRunningError, SamError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 1 if is_error(answer) else 0


def is_error(answer: Any) -> bool:
    """Return whether a function's answer is an error: Lambda's JSON error, or its text about a timeout."""
    return isinstance(answer, str) or (isinstance(answer, dict) and "errorType" in answer)


def steps_on(stack: RunningStack) -> JobSteps:
    """Return the steps of a new job on this stack."""
    client = stack.clients.client
    return JobSteps(
        invoke=stack.invoke,
        s3=client("s3"),
        bucket=stack.bucket,
        new_token=partial(token_of_waiting_task, client),
        pause=partial(time.sleep, PAUSE_SECONDS),
    )


def _invoked(function: str, stack: RunningStack, event_file: Path | None, under: str | None) -> Any:
    environment = stack.environment(function)
    built()
    event = json.loads(event_file.read_bytes()) if event_file else steps_on(stack).event(function)
    print(f"event: {json.dumps(event)}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        if (under or ("sam" if can_reach_stack() else "runtime")) == "sam":
            return invoke_under_sam(function, event, environment, Path(folder))
        return _under_the_runtime(function, event, environment, Path(folder))


def _under_the_runtime(function: str, event: dict[str, Any], environment: dict[str, str], folder: Path) -> Any:
    if sys.version_info[:2] != PYTHON:
        message = "the layers are built for Python 3.13, which .venv does not have; install it, then: make clean"
        raise NotRunningError(message)
    with running(function, environment, folder, timeout=900) as one:
        try:
            return one.invoke(event)
        finally:
            print(one.log, file=sys.stderr, end="")


if __name__ == "__main__":
    sys.exit(main())
