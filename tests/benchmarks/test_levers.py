"""The table of levers in `docs/costs.md` is what the benchmark computes from the price file."""

from benchmarks.levers import lines
from tests.project import ROOT


def test_the_page_has_the_computed_table() -> None:
    """Line by line; other levers may stand beside them."""
    page = (ROOT / "docs" / "costs.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines() if line not in page] == []
