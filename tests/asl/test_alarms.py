"""Alarms: what each one watches, when it goes off, whom it tells, and where it sends them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from batchdrop.local.resolve_template import resolve_template
from tests.expanded import everything, expanded_template, of_type, plain
from tests.project import FUNCTIONS, ROOT
from tools.findings import EVERYTHING

KIND = "AWS::CloudWatch::Alarm"
ALARMS = of_type(everything(), KIND)
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
DAY, HOUR = 86_400, 3_600
SERVICE = [{"Name": "service", "Value": {"Ref": "AWS::StackName"}}]


def _queue(name: str) -> list[dict[str, Any]]:
    return [{"Name": "QueueName", "Value": {"Fn::GetAtt": [name, "QueueName"]}}]


# name: (namespace, metric, dimensions, statistic, period, evaluation periods, threshold)
SIMPLE: dict[str, tuple[Any, ...]] = {
    "lost-events": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", _queue("LostEventsQueue"), "Maximum", 60, 1, 1),
    "lost-slices": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", _queue("LostSlicesQueue"), "Maximum", 60, 1, 1),
    "failed-jobs": ("batchdrop", "JobsFailed", SERVICE, "Sum", 60, 1, 1),
    "broken-jobs": (
        "AWS/States",
        "ExecutionsAborted",
        [{"Name": "StateMachineArn", "Value": {"Ref": "JobStateMachine"}}],
        "Sum",
        60,
        1,
        1,
    ),
    "stuck-jobs": ("batchdrop", "OldestJobHours", SERVICE, "Maximum", HOUR, 1, 30),
    "endangered-results": ("batchdrop", "EndangeredResults", SERVICE, "Maximum", DAY, 1, 1),
    "throttled-by-api": ("batchdrop", "ApiThrottles", SERVICE, "Sum", 300, 6, 20),
    "spend": ("batchdrop", "DollarsSpent", SERVICE, "Sum", DAY, 1, EVERYTHING["SpendAlarmUsd"]),
    "unpriced-jobs": ("batchdrop", "JobsOfUnknownPrice", SERVICE, "Sum", 60, 1, 1),
    "lost-job-events": ("batchdrop", "JobEventsLost", SERVICE, "Sum", 60, 1, 1),
}
CALLED = (
    "SplitUpload", "SubmitShard", "SettleSubmission", "PollBatch",
    "PlanSlices", "AnswerRequests", "CollectResults", "CloseJob", "ShowSample", "AwaitApproval",
)  # fmt: skip
BY_THE_CLOCK = {"guard_retention", "watch_jobs"}


def _own(metric: str) -> tuple[str, str, Any]:
    return ("batchdrop", metric, SERVICE)


def _of_function(metric: str, name: str) -> tuple[str, str, Any]:
    return ("AWS/Lambda", metric, [{"Name": "FunctionName", "Value": {"Ref": f"{name}Function"}}])


# name: (expression, its metrics by id, period, evaluation periods, threshold)
COMPUTED: dict[str, tuple[Any, ...]] = {
    "unclosed-jobs": (
        "IF(errors - FILL(red_ends, 0) >= 3 OR FILL(not_closed, 0) >= 1, 1, 0)",
        {
            "errors": _of_function("Errors", "CloseJob"),
            "red_ends": _own("RedEnds"),
            "not_closed": _own("JobsNotClosed"),
        },
        HOUR,
        1,
        1,
    ),
    "silent-failures": (
        "FILL(red, 0) - FILL(failed, 0) - FILL(canceled, 0)",
        {
            "red": (
                "AWS/States",
                "ExecutionsFailed",
                [{"Name": "StateMachineArn", "Value": {"Ref": "JobStateMachine"}}],
            ),
            "failed": _own("JobsFailed"),
            "canceled": _own("JobsCanceled"),
        },
        HOUR,
        1,
        1,
    ),
    "failing-rows": (
        "IF(answered + unusable + failed >= 50, 100 * failed / (answered + unusable + failed), 0)",
        {"answered": _own("JobRowsAnswered"), "unusable": _own("JobRowsUnusable"), "failed": _own("JobRowsFailed")},
        HOUR,
        1,
        10,
    ),
    "throttled-functions": (
        " + ".join(f"FILL(f{number}, 0)" for number in range(len(CALLED))),
        {f"f{number}": _of_function("Throttles", name) for number, name in enumerate(CALLED)},
        300,
        3,
        10,
    ),
}


def _named(name: str) -> dict[str, Any]:
    [alarm] = [one for one in ALARMS.values() if one["AlarmName"] == {"Fn::Sub": "${AWS::StackName}-" + name}]
    return alarm


def test_every_alarm_is_listed() -> None:
    """A new alarm says here what it watches."""
    names = {alarm["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-") for alarm in ALARMS.values()}
    assert names == SIMPLE.keys() | COMPUTED.keys()


@pytest.mark.parametrize("name", SIMPLE)
def test_an_alarm_watches_its_metric(name: str) -> None:
    """Metric, dimension, period and threshold are those of the list."""
    alarm = _named(name)
    fields = ("Namespace", "MetricName", "Dimensions", "Statistic", "Period", "EvaluationPeriods", "Threshold")
    assert tuple(alarm[field] for field in fields) == SIMPLE[name]
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


@pytest.mark.parametrize("name", COMPUTED)
def test_an_alarm_computes_from_its_metrics(name: str) -> None:
    """Only the expression itself is watched; the metrics under it are those of the list, as sums."""
    expression, metrics, period, periods, threshold = COMPUTED[name]
    alarm = _named(name)
    [watched] = [one for one in alarm["Metrics"] if one.get("ReturnData", True)]
    assert watched["Expression"] == expression
    found = {one["Id"]: one["MetricStat"] for one in alarm["Metrics"] if "MetricStat" in one}
    assert {stat["Period"] for stat in found.values()} == {period}
    assert {stat["Stat"] for stat in found.values()} == {"Sum"}
    shown = {
        name: (stat["Metric"]["Namespace"], stat["Metric"]["MetricName"], stat["Metric"]["Dimensions"])
        for name, stat in found.items()
    }
    assert shown == metrics
    assert len(metrics) <= 10  # CloudWatch: at most ten metrics in an alarm's expression
    assert (alarm["EvaluationPeriods"], alarm["Threshold"]) == (periods, threshold)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


def test_every_function_of_a_job_is_watched_for_throttles() -> None:
    """All but those that run by the clock, the one that draws a page, and check_pilot: all of them run again.

    An alarm has ten metrics at most. check_pilot runs three times a job, and its state retries for an hour.
    """
    watched = set(FUNCTIONS) - BY_THE_CLOCK - {"show_progress", "check_pilot"}
    named = {"".join(word.title() for word in name.split("_")) for name in watched}
    assert set(CALLED) == named


@pytest.mark.parametrize("alarm", ALARMS)
def test_every_alarm_fits_cloudwatch(alarm: str) -> None:
    """CloudWatch evaluates a day at most, and none goes off because nothing happens."""
    one = ALARMS[alarm]
    periods = [stat["MetricStat"]["Period"] for stat in one.get("Metrics", []) if "MetricStat" in stat]
    assert max([*periods, one.get("Period", 0)]) * one["EvaluationPeriods"] <= DAY
    assert one["TreatMissingData"] == "notBreaching"
    assert one.get("DatapointsToAlarm", one["EvaluationPeriods"]) <= one["EvaluationPeriods"]


@pytest.mark.parametrize("alarm", ALARMS)
def test_every_alarm_tells_somebody(alarm: str) -> None:
    """It goes to the given topic, and to the mail address; each only if there is one."""
    assert ALARMS[alarm]["AlarmActions"] == [EVERYTHING["AlarmTopicArn"], {"Ref": "NotifyTopic"}]
    assert of_type(plain(), KIND).get(alarm, {}).get("AlarmActions", []) == []


def test_basic_alarms_watch_jobs_and_lost_messages() -> None:
    """`Alarms: basic` leaves out rates, throttling and events; whatever loses or delays a job is still seen."""
    basic = of_type(resolve_template(expanded_template(), {"Alarms": "basic"}), KIND)
    assert of_type(plain(), KIND).keys() - basic.keys() == {
        "FailingRowsAlarm", "ThrottledByApiAlarm", "ThrottledFunctionsAlarm", "LostJobEventsAlarm",
    }  # fmt: skip
    assert len(basic) == 8


def test_spend_is_watched_on_demand() -> None:
    """Without SpendAlarmUsd there is no such alarm; a limit of 0 would ring at every job."""
    assert of_type(everything(), KIND).keys() - of_type(plain(), KIND).keys() == {"SpendAlarm", "UnpricedJobsAlarm"}
    assert expanded_template()["Resources"]["SpendAlarm"]["Properties"]["Threshold"] == {"Ref": "SpendAlarmUsd"}


def test_thresholds_are_parameters() -> None:
    """What is too long and too much differs from owner to owner."""
    resources = expanded_template()["Resources"]
    assert resources["StuckJobsAlarm"]["Properties"]["Threshold"] == {"Ref": "StuckHours"}
    assert resources["FailingRowsAlarm"]["Properties"]["Threshold"] == {"Ref": "FailurePercent"}


def _sections() -> dict[str, str]:
    """Return the runbook's sections by the anchor of their heading."""
    parts = re.split(r"^## (.+)$", RUNBOOK, flags=re.MULTILINE)[1:]
    titles, bodies = parts[::2], parts[1::2]
    return {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-"): body
        for title, body in zip(titles, bodies, strict=True)
    }


@pytest.mark.parametrize("alarm", ALARMS)
def test_every_alarm_leads_to_its_page_of_the_runbook(alarm: str) -> None:
    """Whoever is woken finds what it means, what to look at (a query to paste) and what to do, under its own name."""
    linked = re.search(r"docs/runbook\.md#([\w-]+)", ALARMS[alarm]["AlarmDescription"])
    assert linked, "no runbook"
    assert ALARMS[alarm]["AlarmName"] == {"Fn::Sub": "${AWS::StackName}-" + linked[1]}
    section = _sections()[linked[1]]
    assert f"`<stack>-{linked[1]}`" in section
    for part in ("**What it means.**", "**What to look at.**", "**What to do.**"):
        assert part in section, part


def test_every_page_of_the_runbook_has_its_alarm() -> None:
    """Each alarm that the runbook tells of exists."""
    told = {f"${{AWS::StackName}}-{name}" for name in re.findall(r"^`<stack>-([\w-]+)`", RUNBOOK, re.MULTILINE)}
    assert told == {alarm["AlarmName"]["Fn::Sub"] for alarm in ALARMS.values()}


QUERIES = re.findall(r"^```text\n(.*?)^```$", RUNBOOK, re.MULTILINE | re.DOTALL)


SOURCE = "".join((ROOT / "functions" / name / "app.py").read_text(encoding="utf-8") for name in FUNCTIONS)
ALWAYS = {
    "level",
    "message",
    "function_name",
    "exception_name",
}  # Powertools Logger's own, on every line or every error
WORDS = {"in", "like", "and", "or", "not", "by", "asc", "desc", "bin", "count"}


@pytest.mark.parametrize("query", QUERIES)
def test_queries_of_the_runbook_find_something(query: str) -> None:
    """Logs Insights: known commands, fields that the functions log, and messages that they say."""
    first, *rest = re.split(r"\n\| ", query.strip())
    assert first.startswith("fields @timestamp, ")
    assert {part.split(" ")[0] for part in rest} <= {"filter", "sort", "limit", "stats"}
    plain_words = re.sub(r'"[^"]*"|/[^/]*/|\(.*?\)', "", " ".join(part.split(" ", 1)[1] for part in (first, *rest)))
    fields = set(re.findall(r"(?<![@\w])[a-z_]+", plain_words)) - WORDS
    logged = set(re.findall(r"\b(\w+)=", SOURCE)) | set(re.findall(r'"(\w+)":', SOURCE)) | ALWAYS
    assert fields <= logged
    for message in re.findall(r'message = "([^"]+)"', query):
        assert f'"{message}"' in SOURCE


def test_every_queue_has_its_alarm() -> None:
    """What falls into a queue is seen."""
    watched = {
        dimension["Value"]["Fn::GetAtt"][0]
        for alarm in ALARMS.values()
        for dimension in alarm.get("Dimensions", [])
        if dimension["Name"] == "QueueName"
    }
    queues = of_type(everything(), "AWS::SQS::Queue")
    assert watched == queues.keys() - {"SliceQueue"}
    lost = queues["SliceQueue"]["RedrivePolicy"]["deadLetterTargetArn"]
    assert lost == {"Fn::GetAtt": ["LostSlicesQueue", "Arn"]}
