"""Find and show what must fail, and what may, of a recipe and its models."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from batchdrop.cli.check.known_models import known_models
from batchdrop.money.prices import PriceTable
from batchdrop.split.check_upload import Check
from batchdrop.split.findings import Findings, model_findings

GOLD_ROWS_SHOWN = 5


def print_findings(findings: Findings, console: Console) -> None:
    """Print what must fail, and what may."""
    for fault in findings.faults:
        console.print(Text(f"fault        {fault}", style="red"), soft_wrap=True)
    for warning in findings.warnings:
        console.print(Text(f"warning      {warning}", style="yellow"), soft_wrap=True)


def findings_of_models(path: Path | None, models: dict[str, int], own: PriceTable | None, betas: list[str]) -> Findings:
    """Return what is found about models; each has the largest `max_tokens` of its requests."""
    table, today, findings = known_models(path, {*models}, own, os.environ), datetime.now(UTC).date(), Findings()
    for model, most in models.items():
        findings.add(model_findings([model], table, max_tokens=most, today=today, betas=betas))
    return findings


def warnings_of_rows(check: Check) -> list[str]:
    """Return the warnings about empty rows that are sent, and about the truth of rows."""
    return [*_empty(check), *_gold(check)]


def _empty(check: Check) -> Iterator[str]:
    if check.empty:
        rows = "1 row is" if check.empty == 1 else f"{check.empty:,} rows are"
        yield f"{rows} sent although all columns of the prompt are empty; set on_empty: skip, or reject"


def _gold(check: Check) -> Iterator[str]:
    """Yield what is wrong with the columns of the truth."""
    for field, counts in check.gold.items():
        if not counts.truths and not counts.unreadable:
            yield f"gold.{field}: no row has a value in column '{counts.column}', so no accuracy can be shown"
        for one in counts.unreadable_rows[:GOLD_ROWS_SHOWN]:
            yield f"gold.{field}: row {one.row:,}: {one.reason}. The row has no truth; fix the cell, or empty it"
        if counts.unreadable > GOLD_ROWS_SHOWN:
            yield f"gold.{field}: {counts.unreadable - GOLD_ROWS_SHOWN:,} more cells do not fit the answer's type"
