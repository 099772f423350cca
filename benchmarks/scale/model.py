"""The cost of a job of any size: AWS and API dollars, hours at each usage tier, and the first limit.

    python -m benchmarks.scale.model --check   # compare with jobs on the embedded stack: results/scale_check.json
    python -m benchmarks.scale.model           # results/scale_model.json, results/scale_model.md, docs/scaling-*.svg

A typical row has 300 bytes, 100 input and 20 output tokens, with claude-haiku-5-5; a Message Batch takes an hour.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.findings import add_scale
from benchmarks.scale.chart import Line, chart
from benchmarks.scale.check import NOT_MODELLED, Case, checked
from benchmarks.scale.cost import Bill, bill_of
from benchmarks.scale.counts import Counts, counts_of
from benchmarks.scale.job import ScaleJob
from benchmarks.scale.time import TIERS, at_tier, close_seconds, took
from benchmarks.stack_counts import Counted

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
SIZES = (1_000, 10_000, 100_000, 1_000_000, 3_000_000, 10_000_000)
BAR = 0.10  # largest mean deviation of the model from the counts
MILLION = 1_000_000

Found = dict[str, list[tuple[ScaleJob, Counts, Bill]]]


def main() -> int:
    """Check the model, or compute it up to ten million rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="run jobs on the embedded stack, and compare")
    add_scale(parser)
    options = parser.parse_args()
    if options.scale == "smoke":
        return smoke()
    return check() if options.check else carry()


def smoke() -> int:
    """Run the model once, and one small job beside it."""
    print(_modelled()[0])
    for case, _, pairs in checked((Case("batch", 300),)):
        print(case, pairs)
    return 0


def check() -> int:
    """Compare model and counts; return 1 if they differ by more than a tenth on average."""
    cases, off = [], []
    by_rows: dict[int, Counted] = {}
    print("| job | figure | model | counted | ratio |\n|---|---|--:|--:|--:|")
    for case, counted, pairs in checked():
        name = f"{case.lane}, {case.rows:,} rows" + (f", {case.errored:.0%} sent again" if case.errored else "")
        for figure, (model, real) in pairs.items():
            off.append(abs(model - real) / real)
            print(f"| {name} | {figure} | {model:,.0f} | {real:,.0f} | {model / real:.3f} |", flush=True)
        cases.append({"job": name, **{figure: list(pair) for figure, pair in pairs.items()}, **_measured(counted)})
        if case.lane == "batch":
            by_rows[case.rows] = counted
        else:
            live = counted
    mean = fmean(off)
    print(f"\nmean deviation {mean:.1%}, largest {max(off):.1%}; not modelled: {NOT_MODELLED}")
    found = {
        **_head("--check"),
        "mean_deviation": round(mean, 4),
        "largest_deviation": round(max(off), 4),
        "not_modelled": NOT_MODELLED,
        "cpu_us_a_row": _cpu_a_row(by_rows[1_000], by_rows[100_000]) | _live_cpu(live),
        "jobs": cases,
    }
    _write("scale_check.json", found)
    return 0 if mean <= BAR else 1


def _measured(counted: Counted) -> dict[str, Any]:
    names = ("seconds", "cpu_seconds", "billed_seconds", "peak_rss_mb", "sizes", "api_calls")
    told = {name: getattr(counted, name) for name in names}
    return told | {"requests": dict(counted.requests), "invocations": dict(counted.invocations)}


def _cpu_a_row(small: Counted, large: Counted) -> dict[str, float]:
    rows = 100_000 - 1_000
    return {
        function: round(max(0.0, cpu - small.cpu_seconds.get(function, 0.0)) / rows * 1e6, 2)
        for function, cpu in large.cpu_seconds.items()
    }


def _live_cpu(live: Counted) -> dict[str, float]:
    return {"AnswerRequestsFunction": round(live.cpu_seconds["AnswerRequestsFunction"] / 1_000 * 1e6, 1)}


def carry() -> int:
    """Write the model's tables and charts."""
    text, found, batch = _modelled()
    print(text)
    (RESULTS / "scale_model.md").write_text(text + "\n", encoding="utf-8")
    _write("scale_model.json", {**_head(""), "jobs": [_line(*one) for rows in found.values() for one in rows]})
    _charts(found, batch)
    return 0


def _modelled() -> tuple[str, Found, list[ScaleJob]]:
    """Return the tables, what they were made from, and the jobs of the batch lane."""
    jobs = {lane: [ScaleJob(rows=rows, lane=lane) for rows in SIZES] for lane in ("batch", "live")}
    found = {lane: [(job, counts_of(job), bill_of(job, counts_of(job))) for job in own] for lane, own in jobs.items()}
    text = "\n\n".join([*(f"### {lane} lane\n\n{_table(rows)}" for lane, rows in found.items()), _hours_table(jobs)])
    return f"{text}\n\n{_parts_table(found)}", found, jobs["batch"]


def _table(rows: Iterable[tuple[ScaleJob, Counts, Bill]]) -> str:
    names = "rows|shards|Lambda GB-s|transitions|largest history|S3 PUT|S3 GET|DynamoDB units"
    names += "|AWS $|AWS $ per million rows|API $"
    lines = [f"| {names.replace('|', ' | ')} |", "|" + "--:|" * (names.count("|") + 1)]
    for job, counts, bill in rows:
        figures = (
            f"{job.rows:,}", f"{job.shards:,}", f"{sum(bill.gb_seconds.values()):,.0f}", f"{counts.transitions:,}",
            f"{counts.largest_history:,}", f"{counts.s3_put:,}", f"{counts.s3_get:,}",
            f"{counts.read_units + counts.write_units:,}", f"{bill.total:,.4f}",
            f"{bill.total / job.rows * MILLION:,.3f}", f"{bill.api_usd:,.2f}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(figures)} |")
    return "\n".join(lines)


def _hours_table(jobs: dict[str, list[ScaleJob]]) -> str:
    lines = ["### Hours\n", "| rows | " + " | ".join(f"{tier.name}: hours | bound by" for tier in TIERS) + " |"]
    lines[1] += " live at 4,000 a minute: hours | bound by | close, s |"
    lines.append("|--:|" + "--:|---|" * (len(TIERS) + 1) + "--:|")
    for batch, live in zip(jobs["batch"], jobs["live"], strict=True):
        ends = [took(at_tier(batch, tier)) for tier in TIERS] + [took(live)]
        cells = " | ".join(f"{end.hours:,.2f} | {end.bound_by}" for end in ends)
        lines.append(f"| {batch.rows:,} | {cells} | {close_seconds(batch):,.0f} |")
    return "\n".join(lines)


def _parts_table(found: Found) -> str:
    """Return what a million rows cost by service."""
    [batch, live] = [next(bill for job, _, bill in rows if job.rows == MILLION) for rows in found.values()]
    lines = ["### A million rows, by service", "", "| | batch lane $ | live lane $ |", "|---|--:|--:|"]
    lines += [f"| {name} | {batch.usd[name]:.4f} | {live.usd[name]:.4f} |" for name in batch.usd]
    lines += [f"| **AWS** | **{batch.total:.4f}** | **{live.total:.4f}** |"]
    lines += [f"| the API | {batch.api_usd:.2f} | {live.api_usd:.2f} |"]
    return "\n".join(lines)


def _charts(found: Found, batch: list[ScaleJob]) -> None:
    dollars = [Line(f"AWS, {lane} lane", [(j.rows, bill.total) for j, _, bill in rows]) for lane, rows in found.items()]
    dollars += [
        Line(f"API, {lane} lane", [(j.rows, bill.api_usd) for j, _, bill in rows]) for lane, rows in found.items()
    ]
    title = "What a job costs: AWS beside the API"
    text = chart(title, dollars, x_name="rows", y_name="dollars")
    (ROOT / "docs" / "scaling-dollars.svg").write_text(text, encoding="utf-8")
    dense = [replace(batch[0], rows=round(10 ** (3 + step / 10))) for step in range(41)]
    hours = [Line(f"tier {tier.name}", [(j.rows, took(at_tier(j, tier)).hours) for j in dense]) for tier in TIERS]
    text = chart("Hours in the batch lane, a Message Batch an hour", hours, x_name="rows", y_name="hours")
    (ROOT / "docs" / "scaling-hours.svg").write_text(text, encoding="utf-8")


def _line(job: ScaleJob, counts: Counts, bill: Bill) -> dict[str, Any]:
    ends = {tier.name: asdict(took(at_tier(job, tier))) for tier in TIERS} if job.lane == "batch" else asdict(took(job))
    return {
        "job": asdict(job) | {"shards": job.shards, "waves": job.waves, "turns": job.turns},
        "counts": asdict(counts) | {"invocations": dict(counts.invocations), "api": dict(counts.api)},
        "usd": bill.usd | {"total": bill.total, "api": bill.api_usd},
        "gb_seconds": bill.gb_seconds,
        "hours": ends,
    }


def _head(arguments: str) -> dict[str, str]:
    command = f"python -m benchmarks.scale.model {arguments}".strip()
    return {"date": f"{datetime.now(UTC):%Y-%m-%d}", "command": command}


def _write(name: str, found: dict[str, Any]) -> None:
    (RESULTS / name).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
