"""Show an estimate: tokens, dollars in both lanes, its error band, and the source of the prices."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from batchdrop.admission.cap_forecast import CapForecast
from batchdrop.money.cost import PriceTable, shown_usd
from batchdrop.money.estimate import LANES, Estimate
from batchdrop.recipe.lane import Lane
from batchdrop.recipe.recipe import Recipe
from batchdrop.split.check_upload import Check
from batchdrop.split.count_sample import SampleCount
from batchdrop.split.job_estimate import estimated_usd

SPEEDS = {"batch": "minutes to 24 h", "live": "seconds"}


def tokens_line(estimate: Estimate, counted: SampleCount | None) -> str:
    """Return the input and output tokens, and how they were found."""
    output = estimate.output_tokens
    how = "estimated" if counted is None else f"counted on {counted.requests:,} of {estimate.requests:,} requests"
    return (
        f"{estimate.input_tokens:,} tokens in ({how}, ± {estimate.band:.0%}); out {output.low:,} to {output.high:,}, "
        f"expected {output.expected:,}"
    )


def lanes_table(estimate: Estimate, recipe: Recipe | None, lane: Lane, prices: PriceTable) -> Table:
    """Return the dollars of both lanes, with the job's own lane marked."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("lane", "low", "expected", "high", ""):
        table.add_column(name, justify="left" if name in {"lane", ""} else "right")
    for one in LANES:
        usd = estimated_usd(estimate, recipe, one, prices)
        sums = [shown_usd(sum_) for sum_ in (usd.low, usd.expected, usd.high)] if usd else [shown_usd(None), "", ""]
        notes = [SPEEDS[one], *(["this job's lane"] if one == lane else [])]
        table.add_row(one, *sums, Text(", ".join(notes), style="bold" if one == lane else "dim"))
    return table


def remembered_line(check: Check, recipe: Recipe | None, lane: Lane, prices: PriceTable) -> str:
    """Return what the answer store saves; empty if it has no answers of the recipe."""
    if check.saved is None:
        return ""
    if not check.remembered:
        return "remembered   no row: the recipe has answers, but it asks something else now, or all rows are new"
    usd = estimated_usd(check.saved, recipe, lane, prices)
    saved = shown_usd(usd.expected if usd else None)
    return f"remembered   {check.remembered:,} requests have an answer already, which saves about {saved}"


def cap_line(cap: CapForecast) -> str:
    """Return how many Message Batches the cap makes, if answers are as long as the estimate expects."""
    made = (
        f"cap          {cap.message_batches:,} Message Batches, {cap.without_cap:,} without it"
        if cap.message_batches
        else "cap          not one request fits"
    )
    left = f"; about {cap.requests_left:,} requests would not be sent" if cap.requests_left else ""
    return f"{made}{left}; fewer if answers are shorter than expected"


def cap_document(cap: CapForecast | None) -> dict[str, Any] | None:
    """Return the forecast as JSON values; None if the cap does not count."""
    if cap is None:
        return None
    return {
        "message_batches": cap.message_batches,
        "message_batches_without_cap": cap.without_cap,
        "requests_left": cap.requests_left,
    }


def prices_line(prices: PriceTable) -> str:
    """Return the date and the source of the prices."""
    return f"prices of {prices.dates} ({prices.sources})"


def estimate_document(
    estimate: Estimate, recipe: Recipe | None, lane: Lane, prices: PriceTable, counted: SampleCount | None
) -> dict[str, Any]:
    """Return the estimate as JSON values, for `--json`; dollars are null if a price is not known."""
    output = estimate.output_tokens
    lanes: dict[str, Any] = {}
    for one in LANES:
        usd = estimated_usd(estimate, recipe, one, prices)
        lanes[one] = None if usd is None else {"low": usd.low, "expected": usd.expected, "high": usd.high}
    return {
        "requests": estimate.requests,
        "input_tokens": estimate.input_tokens,
        "band": estimate.band,
        "counted": None if counted is None else counted.requests,
        "output_tokens": {"low": output.low, "expected": output.expected, "high": output.high},
        "web_searches": estimate.web_searches,
        "lane": lane,
        "usd": lanes,
        "prices": {"date": prices.dates, "source": prices.sources},
    }
