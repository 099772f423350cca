"""spent_before: what an earlier closing of the job has counted already."""

from __future__ import annotations

from decimal import Decimal

import pytest

from batchdrop.finish.spent_before import spent_before
from batchdrop.report.job_figures import NOTHING
from tests.jobs import dropped, reviews


def test_a_job_that_was_never_closed_spent_nothing() -> None:
    """Nothing was counted yet."""
    world = dropped(reviews(2))
    assert spent_before(world.upload, store=world.store) == NOTHING


def test_a_closed_job_has_spent_what_its_summary_says() -> None:
    """Tokens and dollars of all its answers."""
    world = dropped(reviews(2))
    summary = world.run()
    spent = spent_before(world.upload, store=world.store)
    assert spent.usd == summary.cost.usd
    assert Decimal(0) < (spent.usd or Decimal(0))
    assert spent.output_tokens == sum(one.output for one in summary.tokens)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"tokens": "many", "cost": {}}', b"\xff"])
def test_a_summary_of_another_shape_counts_as_none(body: bytes) -> None:
    """An older release's file does not keep a job from being closed."""
    world = dropped(reviews(1))
    summary = world.close()
    world.store.write(f"{summary.results}summary.json", body)
    assert spent_before(world.upload, store=world.store) == NOTHING
