"""Run jobs on the embedded stack, and measure their functions and histories."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from batchdrop.local.stack import EmbeddedStack, StackOptions

LOOK = 0.2  # seconds between two polls
PATIENCE = 1_200.0
T = TypeVar("T")


@contextmanager
def stack(folder: Path, *, wait_scale: float, **overrides: str) -> Iterator[EmbeddedStack]:
    """Run the project's own template."""
    with EmbeddedStack(StackOptions(wait_scale=wait_scale, log_dir=folder, overrides=overrides)) as running:
        yield running


@dataclass(frozen=True)
class Done:
    """A job that has ended. Seconds count from the start of the upload; `events` are those of all its executions."""

    first_answer_s: float
    output_s: float
    events: int
    status: str


def run(running: EmbeddedStack, recipe: str, name: str, file: Path) -> Done:
    """Drop a file and wait for the end of its job."""
    s3, began = running.clients.s3(), time.monotonic()
    s3.upload_file(str(file), running.bucket, f"inbox/{recipe}/{name}")
    first = _seconds(began, lambda: _keys(running, "jobs/", "/answers/", name_of_job(running, name)))
    output = _seconds(began, lambda: _keys(running, f"results/{recipe}/{Path(name).stem}/", "/summary.json"))
    top = _eventually(lambda: [one for one in _executions(running) if _has_ended(running, one, name)])
    return Done(first, output, _events(running, top[0]), top[0]["status"])


def _has_ended(running: EmbeddedStack, execution: dict[str, Any], name: str) -> bool:
    return execution["status"] != "RUNNING" and _is_of(running, execution, name)


def name_of_job(running: EmbeddedStack, name: str) -> str:
    """Return the job id of an upload, once its execution has started."""
    found = _eventually(lambda: [one for one in _executions(running) if _is_of(running, one, name)])
    return str(found[0]["name"])


def _executions(running: EmbeddedStack, **more: str) -> list[dict[str, Any]]:
    pages: Any = running.clients.stepfunctions().get_paginator("list_executions")
    asked = more or {"stateMachineArn": running.state_machine_arn}
    return [one for page in pages.paginate(**asked) for one in page["executions"]]


def _is_of(running: EmbeddedStack, execution: dict[str, Any], name: str) -> bool:
    if execution.get("mapRunArn"):
        return False
    described = running.clients.stepfunctions().describe_execution(executionArn=execution["executionArn"])
    return f"/{name}" in described["input"]


def _events(running: EmbeddedStack, top: dict[str, Any]) -> int:
    """Count the history events of an execution and of its Maps' children."""
    states = running.clients.stepfunctions()
    runs = states.list_map_runs(executionArn=top["executionArn"])["mapRuns"]
    children = [one for found in runs for one in _executions(running, mapRunArn=found["mapRunArn"])]
    arns = [one["executionArn"] for one in (top, *children)]
    pages = [page for arn in arns for page in states.get_paginator("get_execution_history").paginate(executionArn=arn)]
    return sum(len(page["events"]) for page in pages)


def _keys(running: EmbeddedStack, prefix: str, *within: str) -> list[str]:
    pages = running.clients.s3().get_paginator("list_objects_v2").paginate(Bucket=running.bucket, Prefix=prefix)
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    return [key for key in keys if all(part in key for part in within)]


def _seconds(began: float, look: Callable[[], object]) -> float:
    _eventually(look)
    return round(time.monotonic() - began, 2)


def _eventually(look: Callable[[], T]) -> T:
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing came within {PATIENCE:g} s")
        time.sleep(LOOK)
    return found
