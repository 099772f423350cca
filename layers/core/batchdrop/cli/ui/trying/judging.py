"""Judge what is in the editor: its faults at once, and with the file its price and its findings."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from batchdrop.cli.check.check_view import prompt_texts
from batchdrop.cli.check.checked import Checked
from batchdrop.cli.check.checking import checked_file
from batchdrop.cli.check.estimate_view import SPEEDS, cap_line, prices_line, remembered_line, tokens_line
from batchdrop.cli.check.recipes import load_recipe
from batchdrop.cli.check.shortened import shortened_values
from batchdrop.cli.ui.trying.drafts import draft_of
from batchdrop.cli.ui.trying.faults import Fault, faults_of, findings_of
from batchdrop.errors import JobFault, RecipeRejected
from batchdrop.limits import MAX_BATCH_REQUESTS
from batchdrop.money.cost import shown_usd
from batchdrop.money.estimate import LANES
from batchdrop.split.job_estimate import estimated_usd


@dataclass(frozen=True, slots=True)
class LanePrice:
    """The price of the whole file in one lane, as texts. `is_own`: the job would take this lane."""

    lane: str
    low: str
    expected: str
    high: str
    speed: str
    is_own: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """A recipe with its file. `facts` are details, each with its name; `prompt` is the first row's, by its parts.

    `expected` is the price in the job's own lane. `columns` are the file's, as the recipe reads it.
    """

    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    lanes: list[LanePrice] = field(default_factory=list)
    rows: int = 0
    requests: int = 0
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    prompt: list[tuple[str, str]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    lane: str = ""
    expected: str = ""
    samples: bool = False
    """Whether the job waits for an approval after its first rows."""


def faults_in(text: str, recipe: Path) -> list[Fault]:
    """Return the faults of a recipe's text alone; empty if the file can be read with it."""
    try:
        with draft_of(text, recipe) as draft:
            load_recipe(draft)
    except RecipeRejected as refusal:
        return faults_of(str(refusal), recipe.name, text)
    except JobFault as fault:
        return [Fault(str(fault))]
    return []


def judged(text: str, recipe: Path, file: Path, files: Path | None) -> Judged:
    """Return what a check of the whole file finds. Reads the file to its end; sends nothing."""
    try:
        with draft_of(text, recipe) as draft:
            return _judged(checked_file(draft, file, Console(quiet=True), files=files), text)
    except RecipeRejected as refusal:
        return Judged(faults_of(str(refusal), recipe.name, text))
    except JobFault as fault:
        return Judged(faults_of(str(fault), recipe.name, text))


def _judged(checked: Checked, text: str) -> Judged:
    check, manifest = checked.check, checked.manifest
    too_expensive = [checked.too_expensive] if checked.too_expensive else []
    lanes = _lanes(checked)
    return Judged(
        faults=findings_of([*checked.findings.faults, *too_expensive], text),
        warnings=findings_of(checked.findings.warnings + check.notes, text),
        lanes=lanes,
        rows=check.rows,
        requests=check.estimate.requests,
        rejected=check.rejected,
        reasons=check.reasons,
        facts=_facts(checked),
        prompt=[
            (name, str(shortened_values(told)))
            for params in check.first[:1]
            for name, told in prompt_texts(json.loads(params))
        ],
        columns=check.columns,
        lane=manifest.lane,
        expected=next((one.expected for one in lanes if one.is_own), ""),
        samples=manifest.recipe is not None and manifest.recipe.sample is not None,
    )


def _lanes(checked: Checked) -> list[LanePrice]:
    prices = []
    for lane in LANES:
        usd = estimated_usd(checked.check.estimate, checked.manifest.recipe, lane, checked.prices)
        low, high = (shown_usd(usd.low), shown_usd(usd.high)) if usd else ("", "")
        expected = shown_usd(usd.expected if usd else None)
        prices.append(LanePrice(lane, low, expected, high, SPEEDS[lane], lane == checked.manifest.lane))
    return prices


def _facts(checked: Checked) -> list[tuple[str, str]]:
    """Return the details that `batchdrop check` prints, without its alignment."""
    check, manifest = checked.check, checked.manifest
    batches = -(-check.estimate.requests // MAX_BATCH_REQUESTS)
    facts = [("sent as", "single requests" if manifest.lane == "live" else f"{batches:,} or more Message Batches")]
    for name, count in (("skipped", check.skipped), ("share an answer", check.duplicates)):
        facts += [(name, f"{count:,} rows")] if count else []
    remembered = remembered_line(check, manifest.recipe, manifest.lane, checked.prices)
    cap = cap_line(checked.cap) if checked.cap and not checked.too_expensive else ""
    facts += [(name, told.split(maxsplit=1)[1]) for name, told in (("remembered", remembered), ("cap", cap)) if told]
    facts += [("gold", f"{gold.truths:,} rows have a truth for {one}") for one, gold in check.gold.items()]
    return [
        *facts,
        ("new columns", ", ".join(check.new_columns)),
        ("tokens", tokens_line(check.estimate, checked.counted)),
        ("prices", prices_line(checked.prices).removeprefix("prices of ")),
    ]
