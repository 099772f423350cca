"""A repeated answer that meets the account's trouble halts the job, although its row has a paid answer."""

from __future__ import annotations

from batchdrop.errors import AccountTrouble
from tests.fakes import FakeBatchApi, JsonObject, errored, succeeded
from tests.jobs import JOB, dropped, reviews

RECIPE = "model: claude-haiku-5-5\nprompt: 'ask {{ x }}'\nanswer: {label: {enum: [good, bad]}}\nretry: {invalid: 1}\n"


def test_a_retry_without_credit_halts_the_job_and_a_resume_sends_it() -> None:
    """The first answer stays until then."""
    said = [succeeded("?"), errored("billing_error"), succeeded('{"label": "bad"}')]
    world = dropped(reviews(3), recipe=RECIPE)

    def result_of(request: JsonObject) -> JsonObject:
        if not str(request["custom_id"]).endswith("000001"):
            return succeeded('{"label": "good"}')
        return said[len(world.api.created) - 1]

    world.api = FakeBatchApi(result_of=result_of)
    summary = world.run()
    halt = world.ledger.halted(JOB)
    assert halt is not None
    assert halt.error == AccountTrouble.__name__
    assert summary.tally.statuses == {"answered": 2, "invalid": 1}
    world.resume()
    assert world.run().tally.answered == 3
