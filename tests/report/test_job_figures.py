"""A closed job's figures: each dollar counts once, however often a job is closed."""

from __future__ import annotations

from decimal import Decimal

from batchdrop.answers.tokens import Tokens
from batchdrop.money.cost import dollars
from batchdrop.report.job_figures import NOTHING, Spent, figures, spent_in
from batchdrop.report.summary import CostBlock, Summary
from tests.job.test_job_event import _summary

ASKED = Tokens("claude-haiku-5-5", answers=2, input=1_000, output=100, cache_read=50, cache_write_5m=20, web_searches=3)


def _closed(*tokens: Tokens, **changes: object) -> Summary:
    return _summary(tokens=list(tokens), cost=CostBlock(dollars(tokens), "2026-11-22"), **changes)


def test_a_jobs_first_closing_counts_all() -> None:
    """Its rows by fate, its tokens with those of the prompt cache, its dollars."""
    assert figures(_closed(ASKED), NOTHING) == {
        "JobsSucceeded": 1.0,
        "JobRowsAnswered": 1.0,
        "JobRowsUnusable": 1.0,
        "JobRowsFailed": 1.0,
        "JobRowsRejected": 1.0,
        "InputTokens": 1_070.0,
        "OutputTokens": 100.0,
        "WebSearches": 3.0,
        "JobsOfUnknownPrice": 0.0,
        "DollarsSpent": float(dollars([ASKED]) or 0),
    }


def test_a_resumed_job_counts_what_is_new() -> None:
    """The earlier summary's tokens and dollars were counted when it was written."""
    more = Tokens("claude-opus-5-5", answers=1, input=10, output=1)
    before = spent_in([ASKED], dollars([ASKED]))
    counted = figures(_closed(ASKED, more), before)
    assert (counted["InputTokens"], counted["OutputTokens"]) == (10.0, 1.0)
    assert Decimal(str(counted["DollarsSpent"])).quantize(Decimal("1e-9")) == dollars([more])


def test_a_repeated_closing_counts_nothing() -> None:
    """Nor is anything taken back, should a summary tell less than the last one."""
    same = figures(_closed(ASKED), spent_in([ASKED], dollars([ASKED])))
    less = figures(_closed(), Spent(9, 9, Decimal(9)))
    for counted in (same, less):
        assert (counted["InputTokens"], counted["OutputTokens"], counted["DollarsSpent"]) == (0.0, 0.0, 0.0)


def test_an_unknown_price_is_reported_and_is_not_0() -> None:
    """DollarsSpent is missing rather than 0: an alarm that cannot see says so by another metric."""
    counted = figures(_closed(Tokens("claude-unheard-of-9", answers=1, input=10)), NOTHING)
    assert counted["JobsOfUnknownPrice"] == 1.0
    assert "DollarsSpent" not in counted
