"""What a stack costs in a month without any job: `python -m tools.idle_cost [Parameter=value ...]`.

Counted from the expanded template. Prices are AWS's list prices, without a free tier, in benchmarks/aws_prices.json.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from batchdrop.local.expand_template import expand_template
from batchdrop.local.resolve_template import resolve_template

ROOT = Path(__file__).resolve().parent.parent
PRICES: dict[str, float] = json.loads((ROOT / "benchmarks/aws_prices.json").read_text(encoding="utf-8"))["usd"]
FREE_DASHBOARD_METRICS = 50
RECEIVES = 650_000  # a month: an event source with MaximumConcurrency polls its queue, also an empty one
HOURS = {"rate(1 hour)": 730, "rate(1 day)": 30}  # of a month in which a schedule runs
MONTH_HOURS = 730
RUN_SECONDS = 2.0  # of a scheduled function with its cold start


def idle_cost(resolved: Mapping[str, Any]) -> dict[str, float]:
    """Return dollars a month, by what they are for. `resolved` is the expanded template, with its parameters."""
    resources = [*resolved["Resources"].values()]
    return {
        "alarms": _alarm_metrics(resources) * PRICES["alarm_metric_month"],
        "secret": _count(resources, "AWS::SecretsManager::Secret") * PRICES["secret_month"],
        "polling of the live lane's queue": _count(resources, "AWS::Lambda::EventSourceMapping")
        * RECEIVES
        * PRICES["sqs_request"],
        "metrics of scheduled functions": sum(
            _metrics_of(name) * min(hours, MONTH_HOURS) / MONTH_HOURS * PRICES["custom_metric_month"]
            for name, hours, _ in _scheduled(resources)
        ),
        "scheduled functions": sum(hours * _run(memory) for _, hours, memory in _scheduled(resources)),
        "dashboard": _dashboards(resources) * PRICES["dashboard_month"],
        "KMS key": float(any("KmsMasterKeyId" in one.get("Properties", {}) for one in resources))
        * PRICES["kms_key_month"],
    }


def _count(resources: list[dict[str, Any]], kind: str) -> int:
    return sum(one["Type"] == kind for one in resources)


def _alarm_metrics(resources: list[dict[str, Any]]) -> int:
    """Count metrics: an alarm is billed for each metric in its expression."""
    alarms = [one["Properties"] for one in resources if one["Type"] == "AWS::CloudWatch::Alarm"]
    return sum(max(1, sum("MetricStat" in part for part in alarm.get("Metrics", []))) for alarm in alarms)


def _dashboards(resources: list[dict[str, Any]]) -> int:
    """Count the dashboards that are not free: those of more than 50 metrics."""
    bodies = [one["Properties"]["DashboardBody"] for one in resources if one["Type"] == "AWS::CloudWatch::Dashboard"]
    texts = [body["Fn::Sub"] if isinstance(body, dict) else body for body in bodies]
    shown = [sum(len(one["properties"]["metrics"]) for one in json.loads(text)["widgets"]) for text in texts]
    return sum(metrics > FREE_DASHBOARD_METRICS for metrics in shown)


def _scheduled(resources: list[dict[str, Any]]) -> Iterator[tuple[str, int, int]]:
    """Yield each scheduled function's folder, its runs a month, and its memory in MB."""
    functions = {one["Properties"]["FunctionName"]["Fn::Sub"]: one for one in _functions(resources)}
    for rule in resources:
        if rule["Type"] == "AWS::Events::Rule" and "ScheduleExpression" in rule["Properties"]:
            [target] = rule["Properties"]["Targets"]
            logical = target["Arn"]["Fn::GetAtt"][0].removesuffix("Function")
            folder = re.sub(r"(?<!^)([A-Z])", r"_\1", logical).lower()
            memory = functions["${AWS::StackName}-" + folder.replace("_", "-")]["Properties"]["MemorySize"]
            yield folder, HOURS[rule["Properties"]["ScheduleExpression"]], memory


def _functions(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in resources if one["Type"] == "AWS::Lambda::Function"]


def _metrics_of(folder: str) -> int:
    """Count the custom metrics that a function emits; each is billed in the hours that have it."""
    source = (ROOT / "functions" / folder / "app.py").read_text(encoding="utf-8")
    return len(set(re.findall(r'add_metric\("(\w+)"', source)))


def _run(memory_mb: int) -> float:
    return PRICES["lambda_request"] + RUN_SECONDS * memory_mb / 1_024 * PRICES["lambda_gb_second_arm"]


def table(costs: Mapping[str, float]) -> str:
    """Return the costs as lines of text, those of nothing left out."""
    lines = [f"{name:<34}{usd:6.2f}" for name, usd in costs.items() if usd]
    return "\n".join([*lines, f"{'dollars a month without any job':<34}{sum(costs.values()):6.2f}"])


def main() -> int:
    """Print what the stack costs at rest, with these parameters."""
    parameters = dict(argument.split("=", 1) for argument in sys.argv[1:])
    print(table(idle_cost(resolve_template(expand_template(ROOT / "template.yaml"), parameters))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
