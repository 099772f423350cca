"""Packs that come back unpaid until no round is left: rows that were never sent are still sent."""

from __future__ import annotations

from tests.emulated_job import emulated_job
from tests.packs.jobs import packed, rows_of, sent, table


def test_a_first_wave_that_expires_does_not_keep_the_other_rows_back() -> None:
    """With `max_rounds: 1`, the wave's rows fail; the others were never sent, so they go alone."""
    with emulated_job(table(60), recipe=packed(2, "max_rounds: 1\n"), expired_rate=1.0) as job:
        job.split()
        state = job.first_wave()
        batch = job._followed(state)
        job.state_of_api.change({"expired_rate": 0.0})
        found = job.collect(batch, round_number=1)
        first = sum(map(rows_of, sent(job, 1)))
        assert 20 <= first < 60
        assert found.leftovers == 60 - first
        assert job.run().tally.answered == 60 - first
