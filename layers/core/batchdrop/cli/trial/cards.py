"""Show tried rows: a table, or a card for each row where the terminal is narrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from batchdrop.cli.trial.trying import Shown, Tried
from batchdrop.money.cost import shown_usd
from batchdrop.report.gold_block import gold_words

WIDE = 100  # columns of a terminal that has room for a table
LONGEST = 600  # characters of a cell that are shown
_LABEL = 14


def print_tried(tried: Tried, console: Console) -> None:
    """Print the rows, then what was paid, and what the whole file would cost."""
    if console.width >= WIDE:
        console.print(_table(tried.rows))
    else:
        for shown in tried.rows:
            _print_card(shown, console)
    for block in tried.gold:
        console.print(Text(f"{block.field}: {gold_words(block)}"), soft_wrap=True)
    for line, style in _summary(tried):
        console.print(Text(line, style=style), soft_wrap=True)


def _table(rows: list[Shown]) -> Table:
    cells = list(dict.fromkeys(name for shown in rows for name in shown.cells))
    answers = list(dict.fromkeys(name for shown in rows for name in shown.answer))
    table = Table(box=None, header_style="bold", padding=(0, 2, 1, 0))
    table.add_column("row", justify="right")
    for name in (*cells, *answers):
        table.add_column(Text(name), overflow="fold", ratio=None)
    table.add_column("", overflow="fold")
    for shown in rows:
        own = [Text(_text(shown.cells.get(name))) for name in cells]
        new = [_answer(shown, name) for name in answers]
        table.add_row(str(shown.row), *own, *new, _state(shown))
    return table


def _print_card(shown: Shown, console: Console) -> None:
    console.print(Text(f"row {shown.row}", style="bold"))
    for name, value in shown.cells.items():
        _print_field(name, Text(_text(value)), console)
    for name in shown.answer:
        _print_field(name, _answer(shown, name), console, style="green")
    if state := _state(shown):
        console.print(state)
    console.print()


def _print_field(name: str, value: Text, console: Console, style: str = "") -> None:
    field = Table.grid(padding=(0, 1))
    field.add_column(width=_LABEL, no_wrap=True)
    field.add_column(overflow="fold")
    field.add_row(Text(name, style=style), value)
    console.print(field)


def _answer(shown: Shown, name: str) -> Text:
    text = Text(_text(shown.answer.get(name)), style="green")
    if name in shown.was:
        text.append(f"  was: {shown.was[name]}", style="yellow")
    return text


def _state(shown: Shown) -> Text:
    if shown.status == "answered":
        return Text(f"by {shown.model}" if shown.model else "")
    return Text(f"{shown.status}: {shown.error}" if shown.error else shown.status, style="red")


def _text(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def _summary(tried: Tried) -> Iterator[tuple[str, str]]:
    answered = sum(shown.status == "answered" for shown in tried.rows)
    changed = sum(bool(shown.was) for shown in tried.rows)
    kept = f", {tried.paid_before} from earlier tries" if tried.paid_before else ""
    kept += f", {tried.remembered} remembered" if tried.remembered else ""
    kept += f", {tried.shared} share another row's answer" if tried.shared else ""
    paid = f"{tried.sent} sent now for {shown_usd(tried.cost_usd)}{kept}"
    yield f"{len(tried.rows)} rows = {answered} answered + {len(tried.rows) - answered} others: {paid}", "bold"
    if changed:
        yield f"{changed} answers changed since the last try", "yellow"
    if tried.whole_file_usd:
        batch, live = (shown_usd(tried.whole_file_usd[lane]) for lane in ("batch", "live"))
        yield f"the whole file: {tried.requests:,} requests, about {batch} as Message Batches, {live} live", ""
