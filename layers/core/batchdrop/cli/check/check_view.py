"""Show a checked file: first what matters for the decision to send it, then one prompt, then the details."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from batchdrop.admission.worst_case import search_fee
from batchdrop.cli.check.checked import Checked
from batchdrop.cli.check.estimate_view import (
    cap_line,
    lanes_table,
    prices_line,
    remembered_line,
    tokens_line,
)
from batchdrop.cli.check.findings_view import print_findings
from batchdrop.cli.check.plan_view import plan_lines
from batchdrop.cli.check.shortened import shortened_values
from batchdrop.limits import MAX_BATCH_REQUESTS
from batchdrop.money.cost import shown_usd

NAMES = {"system": "system", "user": "prompt", "assistant": "assistant"}


def print_checked(checked: Checked, console: Console, *, is_verbose: bool = False) -> None:
    """Print the cost in both lanes, Message Batches, rejects and warnings; then a prompt; then how it was estimated.

    `is_verbose` also prints the first requests as JSON.
    """
    _print_cost(checked, console)
    _print_rows(checked, console)
    _print_prompt(checked, console)
    _print_details(checked, console)
    for number, params in enumerate(checked.check.first if is_verbose else (), 1):
        console.print(Text(f"request {number}", style="bold"))
        console.print(Syntax(_readable(params), "json", background_color="default", word_wrap=True))


def _print_cost(checked: Checked, console: Console) -> None:
    estimate, manifest = checked.check.estimate, checked.manifest
    console.print(lanes_table(estimate, manifest.recipe, manifest.lane, checked.prices))
    batches = -(-estimate.requests // MAX_BATCH_REQUESTS)
    in_batches = "1 Message Batch" if batches == 1 else f"{batches:,} Message Batches"
    is_live = manifest.lane == "live"
    how = (
        f"single requests; in the batch lane: {in_batches}" if is_live else f"{in_batches}, more if shards are smaller"
    )
    console.print(Text(f"sent as      {how}"))
    if checked.cap is not None and not checked.too_expensive:
        console.print(Text(cap_line(checked.cap), style="yellow" if checked.cap.requests_left else ""), soft_wrap=True)
    if checked.too_expensive:
        console.print(Text(checked.too_expensive, style="red"), soft_wrap=True)


def _print_rows(checked: Checked, console: Console) -> None:
    check = checked.check
    counts = f"{check.rows:,} rows: {check.estimate.requests:,} requests, {check.rejected:,} rejected"
    if check.skipped:
        counts += f", {check.skipped:,} skipped"
    if check.duplicates:
        counts += f", {check.duplicates:,} share another row's answer"
    if check.remembered:
        counts += f", {check.remembered:,} remembered"
    console.print(Text(counts, style="bold"))
    manifest = checked.manifest
    if line := remembered_line(check, manifest.recipe, manifest.lane, checked.prices):
        console.print(Text(line), soft_wrap=True)
    for field, gold in check.gold.items():
        console.print(Text(f"gold         {gold.truths:,} rows have a truth for {field}, in '{gold.column}'"))
    for reason in check.reasons:
        console.print(Text(f"  {reason}", style="red"), soft_wrap=True)
    print_findings(checked.findings, console)
    for note in check.notes:
        console.print(Text(f"note         {note}", style="yellow"), soft_wrap=True)


def _print_prompt(checked: Checked, console: Console) -> None:
    """Print what the model reads for the first row, as text."""
    for params in checked.check.first[:1]:
        console.print()
        console.print(Text("the first row's prompt", style="bold"))
        for name, text in prompt_texts(json.loads(params)):
            console.print(Text.assemble((f"{name}: ", "cyan"), str(shortened_values(text))), soft_wrap=True)
        console.print()


def prompt_texts(params: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what the model reads of a request, each text with its part: system, prompt, assistant."""
    if params.get("system"):
        yield "system", _text(params["system"])
    for turn in params.get("messages", []):
        yield NAMES.get(turn.get("role"), "message"), _text(turn.get("content"))


def _text(content: Any) -> str:
    """Return a message's text; a block that is not text is named in brackets."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(block.get("text") or f"[{block.get('type')}]" for block in blocks if isinstance(block, dict))


def _print_details(checked: Checked, console: Console) -> None:
    check = checked.check
    console.print(Text(f"output       output.{check.output}"))
    console.print(Text(f"new columns  {', '.join(check.new_columns)}"), soft_wrap=True)
    console.print(Text(f"tokens       {tokens_line(check.estimate, checked.counted)}"), soft_wrap=True)
    if check.estimate.web_searches:
        fee = shown_usd(search_fee(check.estimate.web_searches, checked.prices))
        console.print(Text(f"searches     up to {check.estimate.web_searches:,}, {fee} in each lane"), soft_wrap=True)
    if checked.counted is not None:
        console.print(Text(f"counted by   {checked.counted_by}"), soft_wrap=True)
    for line in plan_lines(checked.manifest):
        console.print(Text(line), soft_wrap=True)
    console.print(Text(prices_line(checked.prices), style="dim"), soft_wrap=True)


def _readable(params: bytes) -> str:
    return json.dumps(shortened_values(json.loads(params)), ensure_ascii=False, indent=2)
