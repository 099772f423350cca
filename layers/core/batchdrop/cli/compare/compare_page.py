"""The values of the page of compared recipes."""

from __future__ import annotations

from typing import Any

from batchdrop.cli.compare.compare_view import cost_words
from batchdrop.cli.compare.comparing import Compared
from batchdrop.report.gold_block import gold_words
from batchdrop.saver.words import agreement_words

MOST_ROWS = 200  # that differ, on the page; --json has all


def page_view(compared: Compared) -> dict[str, Any]:
    """Return the values of `compare.html.j2`."""
    plans = [
        {
            "plan": plan,
            "cost": cost_words(plan),
            "agrees": agreement_words(plan.agrees) if plan.agrees else "",
            "fields": [(name, agreement_words(own)) for name, own in plan.fields.items()],
            "gold": [(block.field, gold_words(block)) for block in plan.gold],
        }
        for plan in compared.plans
    ]
    return {"compared": compared, "plans": plans, "disagreements": compared.disagreements[:MOST_ROWS], "saving": None}
