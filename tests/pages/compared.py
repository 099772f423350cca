"""A comparison whose texts are hostile, for the tests of its page."""

from __future__ import annotations

from decimal import Decimal

from batchdrop.adapters.pages.html_pages import compared_page
from batchdrop.cli.compare.compare_page import page_view
from batchdrop.cli.compare.comparing import Compared, Disagreement, Plan
from batchdrop.saver.agreement import agreement
from tests.pages.hostile import TEXTS


def compare_page() -> bytes:
    """Return the page."""
    names = ["A", "B", "C"]
    plans = [
        Plan(
            name, f"{name}-{TEXTS[0]}.yaml", TEXTS[1], 40, 40, 0, 0, None if name == "C" else Decimal("0.1"),
            {"batch": None if name == "C" else Decimal(36), "live": None}, 1.5, [],
            None if name == "A" else agreement(36, 40), {"label": agreement(38, 40), TEXTS[2]: agreement(0, 0)},
            ["rows are sent alone here"],
        )
        for name in names
    ]  # fmt: skip
    differing = [
        Disagreement(row, {"x": text, "y": None}, ["label", TEXTS[2]], {name: {"label": text} for name in names})
        for row, text in enumerate(TEXTS, 1)
    ]
    return compared_page(page_view(Compared(f"{TEXTS[0]}.csv", [*range(1, 41)], 299, plans, differing)))
