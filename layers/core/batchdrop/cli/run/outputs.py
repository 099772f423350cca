"""Show a finished job's outputs."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from batchdrop.cli.job.figures import perhaps_paid, sum_of_fates
from batchdrop.cli.job.first_rows import first_rows
from batchdrop.money.cost import shown_usd

ROWS_SHOWN = 8
WIDEST, NARROWEST = 48, 4  # of a column on the terminal, in characters
PADDING = 2


def show_results(folder: Path, summary: dict[str, Any], console: Console) -> None:
    """Print the output's path, its first rows, the tally and the cost; for a failed job, the reason."""
    outputs = sorted(folder.glob("output.*"))
    for output in outputs:
        console.print(_preview(output, room=console.width))
    show_end(summary, console)
    for output in outputs:
        console.print(Text("output   "), Text(str(output), style="bold"), sep="", soft_wrap=True)
    if summary["tally"]["rows"] > summary["tally"]["answered"]:
        console.print(Text(f"failed   {folder / 'failed.jsonl'}"), soft_wrap=True)
    if unsettled := perhaps_paid(summary):
        path = f"{folder / 'perhaps-paid.jsonl'}: " if summary["perhaps_paid"]["rows"] else ""
        console.print(Text(f"perhaps  {path}{unsettled}; they are not sent again"), soft_wrap=True)
    console.print(Text(f"summary  {folder / 'summary.json'}"), soft_wrap=True)
    if (folder / "report.html").exists():
        console.print(Text(f"report   {folder / 'report.html'}"), soft_wrap=True)


def show_end(summary: dict[str, Any], console: Console) -> None:
    """Print a job's tally and cost; for a failed job, the reason."""
    console.print(_tally_line(summary))
    console.print(_cost_line(summary), soft_wrap=True)
    if summary.get("estimate"):
        console.print(estimate_line(summary["estimate"]), soft_wrap=True)
    for note in summary.get("notes", [])[:3]:
        console.print(Text(f"note     {note}", style="yellow"), soft_wrap=True)
    for fault in summary["faults"][:3]:
        where = "" if fault["shard"] is None else f"shard {fault['shard']}: "
        console.print(Text(f"{where}{fault['type']}: {fault['message']}", style="red"), soft_wrap=True)


def _preview(output: Path, *, room: int) -> Table | Text:
    try:
        return first_rows_table(output, room=room)
    except Exception as error:  # noqa: BLE001 - the job is done and paid: a preview must not make it look failed
        return Text(f"the first rows of {output.name} cannot be shown: {type(error).__name__}: {error}", style="yellow")


def first_rows_table(output: Path, *, room: int) -> Table:
    """Return the first rows of an output, fitted to the terminal's width."""
    table = Table(box=None, header_style="bold", padding=(0, 1))
    columns, rows = first_rows(output, ROWS_SHOWN)
    shown = [[Text(" ".join(cell.split())) for cell in cells] for cells in rows]
    natural = [
        max(cell.cell_len for cell in (Text(name), *cells)) for name, *cells in zip(columns, *shown, strict=True)
    ]
    for name, width in zip(columns, _fitted(natural, room), strict=True):
        table.add_column(Text(name), no_wrap=True, width=width, overflow="ellipsis")
    for row in shown:
        table.add_row(*row)
    return table


def _fitted(widths: list[int], room: int) -> list[int]:
    """Narrow the widest columns until all fit into `room`, including their padding."""
    fitted = [min(width, WIDEST) for width in widths]
    while fitted and sum(fitted) + PADDING * len(fitted) > room and max(fitted) > NARROWEST:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def _tally_line(summary: dict[str, Any]) -> Text:
    tally = summary["tally"]
    return Text(f"{tally['rows']:,} rows = {sum_of_fates(tally)}", style="bold")


def _cost_line(summary: dict[str, Any]) -> Text:
    tokens_in = sum(tokens["input"] for tokens in summary["tokens"])
    tokens_out = sum(tokens["output"] for tokens in summary["tokens"])
    searches = sum(tokens.get("web_searches", 0) for tokens in summary["tokens"])
    also = f" and {searches:,} web searches" if searches else ""
    usd = summary["cost"]["usd"]
    dollars = "price unknown" if usd is None else f"${usd:.6f}"
    lanes = " and ".join(lane["lane"] for lane in summary["lanes"]) or "batch"
    price = "the batch price" if lanes == "batch" else f"the prices of the {lanes} lane"
    return Text(
        f"{tokens_in:,} tokens in, {tokens_out:,} out{also}: {dollars} at {price} of {summary['cost']['prices_of']}; "
        f"{summary['timings']['total_seconds']:.1f} s"
    )


def estimate_line(estimate: dict[str, Any]) -> Text:
    """Return a summary's estimate beside the actual usage, in one line."""
    usd, actual = estimate["usd"], estimate["actual"]
    if usd is None:
        dollars = "dollars unknown"
    else:
        low, expected, high = (shown_usd(Decimal(str(usd[bound]))) for bound in ("low", "expected", "high"))
        dollars = f"{expected} ({low} to {high})"
    spent = shown_usd(None if actual["usd"] is None else Decimal(str(actual["usd"])))
    times = "" if estimate["ratio"] is None else f", {estimate['ratio']:.2f} times the estimate"
    return Text(
        f"estimated {estimate['input_tokens']:,} tokens in, {estimate['output_tokens']['expected']:,} out: {dollars}; "
        f"actual {actual['input_tokens']:,} in, {actual['output_tokens']:,} out: {spent}{times}"
    )
