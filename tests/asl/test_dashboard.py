"""The dashboard: valid, without holes, and of things that are there."""

from __future__ import annotations

import re

from tests.asl.dashboard import shown, widgets
from tests.expanded import expanded_template, of_type, plain
from tests.project import FUNCTIONS


def test_widgets_lie_side_by_side() -> None:
    """On CloudWatch's grid of 24 columns, none over another."""
    cells = [
        (column, row)
        for one in widgets()
        for column in range(one["x"], one["x"] + one["width"])
        for row in range(one["y"], one["y"] + one["height"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(column for column, _ in cells) == 23


def test_every_widget_says_what_it_shows() -> None:
    """Each has a title of its own, the stack's region, a statistic and a period."""
    properties = [one["properties"] for one in widgets()]
    assert len({one["title"] for one in properties}) == len(properties)
    for one in properties:
        assert one["region"] == "${AWS::Region}"
        assert one["stat"] in {"Sum", "Maximum", "p95"}
        assert one["period"] in {300, 3_600, 86_400}


def test_every_function_and_queue_is_on_it() -> None:
    """Errors of each function, durations of those that work on files; the depth of each queue."""
    by_metric = {
        metric: {one[3].removeprefix("${AWS::StackName}-").replace("-", "_") for one in shown() if one[1] == metric}
        for metric in ("Errors", "Duration")
    }
    assert by_metric["Errors"] == set(FUNCTIONS)
    assert by_metric["Duration"] == {"split_upload", "collect_results"}
    depths = {one[3] for one in shown() if one[0] == "AWS/SQS"}
    assert depths == {f"${{{name}.QueueName}}" for name in of_type(plain(), "AWS::SQS::Queue")}


def test_names_that_are_filled_in_exist() -> None:
    """`${…}` names a resource of the template, or CloudFormation's own."""
    body = plain()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    named = {name.partition(".")[0] for name in re.findall(r"\$\{([^}]+)\}", body)}
    assert named <= expanded_template()["Resources"].keys() | {"AWS::Region", "AWS::StackName"}


def test_every_watched_metric_is_on_it() -> None:
    """Who comes from an alarm sees its past."""
    watched = {
        (alarm["Namespace"], alarm["MetricName"])
        for alarm in of_type(plain(), "AWS::CloudWatch::Alarm").values()
        if "MetricName" in alarm
    }
    assert watched - {("batchdrop", "JobEventsLost")} <= {(one[0], one[1]) for one in shown()}
