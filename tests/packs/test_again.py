"""A job with packs that is interrupted: no pack is paid twice, and no answered row is sent again."""

from __future__ import annotations

from tests.emulated_job import emulated_job
from tests.jobs import KEYS
from tests.packs.jobs import answer_live, answers, packed, rows_of, sent, table


def test_a_repeated_collection_plans_the_same_packs() -> None:
    """Body and sidecar are functions of the stored answers, so a late attempt changes nothing."""
    with emulated_job(table(40), recipe=packed(10)) as job:
        job.split()
        job.first_wave()
        before = [job.store.read(key) for key in (KEYS.requests(0, 1), KEYS.packs(0, 1))]
        job.first_wave()
        assert [job.store.read(key) for key in (KEYS.requests(0, 1), KEYS.packs(0, 1))] == before
        assert len(before[1]) == 4 * 40


def test_a_canceled_job_keeps_its_answers_and_a_resume_sends_the_rest() -> None:
    """The row that its pack missed is not answered yet; the resume sends it alone, and nothing else."""
    with emulated_job(table(30, r7="[[pack_missing]]"), recipe=packed(10, "max_rounds: 1\n")) as job:
        job.split()
        state = job.first_wave()
        submitted = job._followed(state)
        job.clock.advance(10)
        found = job.collect(submitted, round_number=1)
        assert found.leftovers == 1
        assert job.run().tally.answered == 30
        assert [rows_of(one) for one in sent(job, 2)] == [1]
        assert job.charges["requests"] == 4


def test_the_live_lane_sends_packs_too() -> None:
    """A round is a create body, whichever lane sends it; here a small file goes live."""
    recipe = packed(10).replace("lane: batch", "lane: live")
    with emulated_job(table(20), recipe=packed(10)) as job:
        job.run()
        straight = answers(job)
    with emulated_job(table(20), recipe=recipe) as job:
        job.split()
        state = job.first_wave()
        assert state.lane == "live"
        answer_live(job, 1)
        collected = job.collect_round(state)
        assert collected.tally is not None
        assert collected.tally.answered == len(straight) == 20
