"""Metrics that alarms and the dashboard show are those that the functions emit: same name, same dimension, no other."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from moto import mock_aws

from batchdrop.errors import JobFailed, RateLimited
from batchdrop.local.claude_api.testing import RunningEmulator
from tests.asl.dashboard import shown
from tests.aws import client
from tests.expanded import everything, of_type
from tests.functions.lambdas import STATE, UPLOAD, Functions, cloud, forget
from tests.project import event

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
RECIPE = b"model: claude-haiku-5-5\nprompt: 'Say {{ x }}'\n"
CLOSED = {"status": "failed", "results": "results/r/", "error": "AccountTrouble", "cause": "HTTP 402"}


def _run_everything(functions: Functions) -> None:
    """Invoke each function at least once; the API throttles once, and a job ends red."""
    functions.invoke("split_upload", event("split_upload"))
    functions.cloud.put("recipes/sentiment.yaml", RECIPE)
    task = {"upload": functions.cloud.put(UPLOAD["key"], b"x\na\nb\n")}
    functions.invoke("split_upload", task)
    state = {**STATE, "requests": 2, "shards": 1}
    functions.cloud.emulator.inject("rate_limited", "batches.create")
    with pytest.raises(RateLimited):
        functions.invoke("submit_shard", state)
    state = functions.invoke("submit_shard", state)
    functions.cloud.emulator.advance(86_400.0)
    functions.invoke("plan_slices", state)
    ended = functions.invoke("poll_batch", state)
    functions.cloud.emulator.inject("rate_limited", "batches.results")
    with pytest.raises(RateLimited):
        functions.invoke("collect_results", ended)
    functions.invoke("collect_results", ended)
    functions.invoke("settle_submission", event("settle_submission"))
    functions.invoke("close_job", task)
    other = {**task["upload"], "job_id": "20261122T120000-aaaaaaaaaa"}
    functions.invoke("close_job", {"upload": other, "fault": {"Error": "RecipeRejected", "Cause": "no recipe"}})
    with pytest.raises(JobFailed):
        functions.invoke("close_job", {**task, "closed": CLOSED, "redrives": 0, "known_redrives": 0})
    functions.cloud.put(f"jobs/{other['job_id']}/manifest.json", b"not a manifest")
    with pytest.raises(msgspec.DecodeError):
        functions.invoke("close_job", {"upload": other})
    functions.invoke("guard_retention", event("guard_retention"))
    functions.invoke("watch_jobs", event("watch_jobs"))
    functions.invoke("answer_requests", event("answer_requests"))


Emitted = dict[tuple[str, str], set[tuple[tuple[str, str], ...]]]


def _emitted(lines: Iterable[str]) -> Emitted:
    """Return the dimensions, with values, of each metric in an EMF log, as CloudWatch reads it."""
    found: Emitted = {}
    for line in lines:
        fields = json.loads(line)
        for told in fields["_aws"]["CloudWatchMetrics"]:
            for metric in told["Metrics"]:
                dimensions = {tuple((name, fields[name]) for name in names) for names in told["Dimensions"]}
                found.setdefault((told["Namespace"], metric["Name"]), set()).update(dimensions)
    return found


@pytest.fixture(scope="module")
def emitted(emulator: RunningEmulator) -> Emitted:
    """All metrics of one run of everything. The stack is called batchdrop."""
    out = io.StringIO()
    emulator.reset()
    forget()
    with mock_aws(), pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        client("sqs").create_queue(QueueName="live")
        _run_everything(Functions(cloud(emulator), patch))
    forget()
    return _emitted(line for line in out.getvalue().splitlines() if line.startswith("{") and "_aws" in line)


def _metrics_of(alarm: dict[str, Any]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    told = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
    return [(one["Namespace"], one["MetricName"], one["Dimensions"]) for one in told or [alarm]]


NONE_WAS = {("batchdrop", "JobsCanceled")}  # as JobsFailed, by the status of the summary
WATCHED = [
    pytest.param(name, metric, dimensions, id=f"{alarm} {name}")
    for alarm, properties in of_type(everything(), "AWS::CloudWatch::Alarm").items()
    for namespace, name, dimensions in _metrics_of(properties)
    for metric in [(namespace, name)]
    if namespace == "batchdrop" and metric not in NONE_WAS
]


@pytest.mark.parametrize(("name", "metric", "dimensions"), WATCHED)
def test_a_watched_metric_is_emitted(
    emitted: Emitted, name: str, metric: tuple[str, str], dimensions: list[dict[str, Any]]
) -> None:
    """With exactly the alarm's dimensions; a metric that nobody publishes never alarms."""
    [dimension] = dimensions
    assert dimension == {"Name": "service", "Value": {"Ref": "AWS::StackName"}}
    assert emitted[metric] == {(("service", "batchdrop"),)}, name


def test_all_own_metrics_on_the_dashboard_are_emitted(emitted: Emitted) -> None:
    """And all that are emitted are on it, but for the counts that only say that something ran."""
    own = {(one[0], one[1]) for one in shown() if one[0] == "batchdrop"}
    assert {tuple(one[2:]) for one in shown() if one[0] == "batchdrop"} == {("service", "${AWS::StackName}")}
    assert own - NONE_WAS <= emitted.keys()
    assert emitted.keys() - own == {
        ("batchdrop", name) for name in ("Polls", "RedEnds", "RequestsSliced", "JobsNotClosed", "JobEventsLost")
    }
