"""A closed job's metrics: its rows, and its cost since it was last closed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from batchdrop.answers.tokens import Tokens
from batchdrop.report.summary import Summary


class Spent(msgspec.Struct, frozen=True):
    """Tokens, dollars and web searches of a job's answers. `usd` is None if a model's price is not known."""

    input_tokens: int = 0
    output_tokens: int = 0
    usd: Decimal | None = Decimal(0)
    web_searches: int = 0


NOTHING = Spent()


def spent_in(tokens: Iterable[Tokens], usd: Decimal | None) -> Spent:
    """Return the sum of these answers; tokens written to or read from the prompt cache count as input."""
    known = list(tokens)
    cached = sum(one.cache_write_5m + one.cache_write_1h + one.cache_read for one in known)
    searches = sum(one.web_searches for one in known)
    return Spent(sum(one.input for one in known) + cached, sum(one.output for one in known), usd, searches)


def figures(summary: Summary, before: Spent) -> dict[str, float]:
    """Return a closed job's metrics by name.

    `before` is what an earlier closing of the job counted: a resumed job's summary includes it. Without a price,
    DollarsSpent is left out and JobsOfUnknownPrice is 1. DollarsEstimated is counted at the first closing only.
    """
    tally, spent = summary.tally, spent_in(summary.tokens, summary.cost.usd)
    counted = {
        f"Jobs{summary.status.title()}": 1.0,
        "JobRowsAnswered": float(tally.answered),
        "JobRowsUnusable": float(tally.unusable),
        "JobRowsFailed": float(tally.failed),
        "JobRowsRejected": float(tally.rejected),
        "InputTokens": float(max(0, spent.input_tokens - before.input_tokens)),
        "OutputTokens": float(max(0, spent.output_tokens - before.output_tokens)),
        "WebSearches": float(max(0, spent.web_searches - before.web_searches)),
        "JobsOfUnknownPrice": float(spent.usd is None),
    }
    if spent.usd is not None:
        counted["DollarsSpent"] = float(max(Decimal(0), spent.usd - (before.usd or Decimal(0))))
    if before == NOTHING and summary.estimate is not None and summary.estimate.usd is not None:
        counted["DollarsEstimated"] = float(summary.estimate.usd.expected)
    return counted
