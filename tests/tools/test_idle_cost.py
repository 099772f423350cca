"""What a stack costs without a job: from the template, with the options, and as the documentation says it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchdrop.local.resolve_template import resolve_template
from tests.expanded import expanded_template
from tests.project import ROOT
from tools.idle_cost import FREE_DASHBOARD_METRICS, idle_cost, table

PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("deploying", "faq")}
MOST = 5.0  # dollars


def _resolved(**parameters: str) -> dict[str, Any]:
    return resolve_template(expanded_template(), parameters)


@pytest.mark.parametrize("parameters", [{}, {"Alarms": "basic"}, {"KmsKeyArn": "arn:aws:kms:r:1:key/k"}])
def test_a_stack_at_rest_costs_little(parameters: dict[str, str]) -> None:
    """At list prices, with every alarm."""
    assert sum(idle_cost(_resolved(**parameters)).values()) < MOST


def test_an_alarm_costs_by_its_metrics() -> None:
    """An alarm that computes from three metrics is billed as three."""
    metric: dict[str, Any] = {"MetricStat": {}}
    one = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "m"}}
    three = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": [{"Expression": "a"}, metric, metric, metric]}}
    assert idle_cost({"Resources": {"one": one, "three": three}})["alarms"] == pytest.approx(0.4)


def test_a_wide_dashboard_is_not_free() -> None:
    """CloudWatch takes $3 a month for a dashboard of more than 50 metrics."""

    def dashboard(metrics: int) -> dict[str, Any]:
        body = json.dumps({"widgets": [{"properties": {"metrics": [["AWS/Lambda", "Errors"]] * metrics}}]})
        return {"Resources": {"d": {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": body}}}}

    assert idle_cost(dashboard(FREE_DASHBOARD_METRICS))["dashboard"] == 0
    assert idle_cost(dashboard(FREE_DASHBOARD_METRICS + 1))["dashboard"] == 3


def test_the_pages_say_it() -> None:
    """The table of the deploying page is the tool's, for both settings of Alarms."""
    full, basic = idle_cost(_resolved()), idle_cost(_resolved(Alarms="basic"))
    rows = [line for line in PAGES["deploying"].splitlines() if line.endswith("|")]
    for what, usd in full.items():
        if usd:
            cells = f" | {usd:.2f} | {basic[what]:.2f} |"
            assert [row for row in rows if row.endswith(cells)], what
    for page in PAGES.values():
        assert f"${sum(full.values()):.2f} a month" in page
        assert f"${sum(basic.values()):.2f} with" in page


def test_the_table_leaves_out_what_costs_nothing() -> None:
    """Three lines at most for a person who deploys: no line says 0.00."""
    assert table({"alarms": 1.2, "dashboard": 0.0}).splitlines() == [
        "alarms                              1.20",
        "dollars a month without any job     1.20",
    ]
