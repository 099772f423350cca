"""Copy the functions' CloudWatch Logs into files."""

from pathlib import Path
from typing import TYPE_CHECKING

from batchdrop.local.aws_clients import AwsClients

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

_FUNCTIONS_PREFIX = "/aws/lambda/"


def write_function_logs(clients: AwsClients, directory: Path) -> list[Path]:
    """Write one file per function, `<function>.log`, with its logs so far; return the files."""
    logs = clients.logs()
    written = []
    groups = logs.describe_log_groups(logGroupNamePrefix=_FUNCTIONS_PREFIX)["logGroups"]
    for name in (group["logGroupName"] for group in groups):
        path = directory / f"{name.removeprefix(_FUNCTIONS_PREFIX).replace('/', '_')}.log"
        path.write_text(_everything(logs, name), encoding="utf-8")
        written.append(path)
    return written


def _everything(logs: "CloudWatchLogsClient", group: str) -> str:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    messages = [event["message"].rstrip("\n") for page in pages for event in page["events"]]
    return "".join(f"{message}\n" for message in messages)
