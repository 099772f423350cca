"""The table of levers in `docs/costs.md` is what the benchmark computes from the price file."""

from benchmarks.levers import lines, shared_in_shards
from tests.project import ROOT


def test_the_page_has_the_computed_table() -> None:
    """Line by line; other levers may stand beside them."""
    page = (ROOT / "docs" / "costs.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines() if line not in page] == []


def test_duplicates_are_shared_within_a_shard() -> None:
    """A file of one shard pays each text once; ten shards pay most texts several times."""
    assert shared_in_shards(rows=100_000, distinct=1) == 1
    assert 780_000 < shared_in_shards() < 790_000
