"""A job with packs: each row is answered once, a pack is paid once, and the bill is far smaller."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.emulated_job import emulated_job
from tests.packs.jobs import answers, packed, rows_of, sent, table

ALONE = ("[[pack_missing]]", "[[refusal]]", "[[invalid_json]]", "[[errored:invalid_request_error]]")


def test_packs_cost_a_third_and_answer_each_row() -> None:
    """One request for ten rows; every row has its own answer in its own place."""
    with emulated_job(table(60), recipe=packed("null")) as job:
        job.run()
        bill = job.bill
    with emulated_job(table(60), recipe=packed(10)) as job:
        assert job.run().tally.answered == 60
        assert job.charges["requests"] == 6
        assert {*map(rows_of, sent(job, 1))} == {10}
        assert job.bill < bill * Decimal("0.35")


@pytest.mark.parametrize("word", ALONE)
def test_only_the_rows_that_need_it_are_sent_alone(word: str) -> None:
    """What goes wrong in a pack concerns that pack only; its rows are sent alone once, and no answer is repeated."""
    with emulated_job(table(40, r7=word), recipe=packed(10)) as job:
        summary = job.run()
        assert summary.tally.answered >= 39
        alone = sent(job, 2)
        assert len(alone) == (1 if "missing" in word else 10)
        assert all(rows_of(one) == 1 for one in alone)
        assert not sent(job, 3)


def test_a_number_that_nobody_asked_for_discards_the_whole_pack() -> None:
    """The model has lost count, so no object of this pack is trusted."""
    with emulated_job(table(40, r7="[[pack_invented]]", r30="[[pack_doubled]]"), recipe=packed(10)) as job:
        summary = job.run()
        assert summary.tally.answered == 40
        assert len(sent(job, 2)) in {10, 20}


def test_swapped_rows_are_joined_by_their_numbers() -> None:
    """The order of the objects in the answer means nothing."""
    with emulated_job(table(40), recipe=packed(10)) as job:
        job.run()
        straight = answers(job)
    with emulated_job(table(40), recipe=packed(10), pack_shuffled_rate=1.0) as job:
        assert job.run().tally.answered == 40
        assert answers(job) == straight


def test_an_expired_pack_is_sent_again_as_it_was() -> None:
    """Nothing of it was paid, so its bytes are repeated."""
    with emulated_job(table(20, r3="[[expired_once]]"), recipe=packed(10)) as job:
        assert job.run().tally.answered == 20
        [again] = sent(job, 2)
        assert again in sent(job, 1)
        assert job.charges["requests"] == 2


def test_a_cut_pack_keeps_its_complete_answers() -> None:
    """The rows before the cut are answered; the others go alone."""
    with emulated_job(table(20, r3="[[max_tokens_once]]"), recipe=packed(10)) as job:
        summary = job.run()
        assert summary.tally.answered == 20
        assert 3 <= len(sent(job, 2)) <= 8


def test_duplicates_are_shared_before_rows_are_packed() -> None:
    """Equal rows are one row of a pack."""
    body = b"x\n" + b"the same\n" * 30 + b"".join(b"other %d\n" % number for number in range(9))
    with emulated_job(body, recipe=packed(10)) as job:
        assert job.run().tally.answered == 39
        assert [rows_of(one) for one in sent(job, 1)] == [10]


def test_a_cap_holds_packs() -> None:
    """The packs of a round fit under the cap; a later round sends the rest, and nothing is paid twice."""
    with emulated_job(table(200), recipe=packed(10)) as job:
        job.run()
        bill = job.bill
    cap = f"max_cost_usd: {float(bill) * 3:.6f}\n"
    with emulated_job(table(200), recipe=packed(10, cap)) as job:
        assert job.run().tally.answered == 200
        assert job.bill == bill
        assert job.message_batches > 1
