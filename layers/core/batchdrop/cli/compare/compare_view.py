"""Show compared recipes on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from batchdrop.adapters.pages.figures import span
from batchdrop.cli.compare.comparing import Compared, Plan
from batchdrop.money.cost import shown_usd
from batchdrop.report.gold_block import gold_words
from batchdrop.saver.words import agreement_words

SHOWN = 5  # rows that differ; the page and --json have all
LONGEST = 200  # characters of a cell


def print_compared(compared: Compared, console: Console) -> None:
    """Print each plan, then the first rows on which they differ."""
    console.print(Text(f"{len(compared.rows):,} random rows of {compared.file}", style="bold"))
    for plan in compared.plans:
        console.print()
        for line, style in plan_lines(plan, len(compared.rows)):
            text = line.lstrip()
            console.print(Padding(Text(text, style=style), (0, 0, 0, len(line) - len(text))))
    differing = compared.disagreements
    if len(compared.plans) > 1:
        console.print()
        more = f"; the first {SHOWN}:" if len(differing) > SHOWN else ""
        console.print(Text(f"rows that differ from A: {len(differing):,}{more}", style="bold"))
    for one in differing[:SHOWN]:
        console.print(Text(f"row {one.row:,}", style="bold"))
        console.print(Text(f"  {_written(one.cells)}", style="dim"))
        for name, answer in one.answers.items():
            console.print(Text(f"  {name}  {_written({field: answer.get(field) for field in one.fields})}"))


def plan_lines(plan: Plan, rows: int) -> Iterator[tuple[str, str]]:
    """Yield what is known about a plan, each line with its style."""
    yield f"{plan.name}  {plan.recipe}  {plan.model}", "bold"
    yield f"   {cost_words(plan)}", ""
    seconds = "" if plan.seconds is None else f"; half of the answers took at most {span(plan.seconds)}, live"
    yield f"   {plan.answered:,} of {rows:,} rows answered{seconds}", "" if plan.answered == rows else "red"
    paid = f"{plan.sent:,} sent now for {shown_usd(plan.cost_usd)}"
    paid += f"; {plan.paid_before:,} paid before" if plan.paid_before else ""
    paid += f"; {plan.shared:,} share another row's answer" if plan.shared else ""
    yield f"   {paid}", "dim"
    for block in plan.gold:
        yield f"   {block.field}: {gold_words(block)}", "green"
    if plan.agrees is not None:
        yield f"   agrees with A on {agreement_words(plan.agrees)}", "cyan"
    for name, own in plan.fields.items() if len(plan.fields) > 1 else ():
        yield f"   {name}: {agreement_words(own)}", ""
    for note in plan.notes:
        yield f"   note: {note}", "yellow"


def cost_words(plan: Plan) -> str:
    """Return what a million rows like these cost."""
    batch, live = (shown_usd(plan.million_usd.get(lane)) for lane in ("batch", "live"))
    return f"{batch} per million rows as Message Batches, {live} live"


def _written(values: Mapping[str, Any]) -> str:
    text = ", ".join(f"{name}: {'' if value is None else value}" for name, value in values.items())
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
