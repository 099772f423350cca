"""`drop --wait --max-failed`: a pipeline stops at too many rows without a usable answer."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from batchdrop.cli.main import app
from batchdrop.cli.run.most_failed import MostFailed, TooManyFailedError


def _summary(**statuses: int) -> dict[str, Any]:
    tally = {"rows": sum(statuses.values()), "answered": statuses.get("answered", 0), "statuses": statuses}
    return {"tally": tally}


@pytest.mark.parametrize("limit", ["1%", "1.0 %", "10", "0%", "100%"])
def test_what_a_limit_may_be(limit: str) -> None:
    """A share in percent, or a number of rows."""
    assert MostFailed.parsed(limit)


@pytest.mark.parametrize("limit", ["", "one", "-1%", "101%", "0.5", "1 %%"])
def test_what_is_no_limit(limit: str) -> None:
    """A share without a percent sign might be meant as a share or as a count."""
    assert MostFailed.parsed(limit) is None


@pytest.mark.parametrize(
    ("limit", "summary", "is_fine"),
    [
        ("1%", _summary(answered=990, invalid=10), True),
        ("1%", _summary(answered=989, invalid=11), False),
        ("0%", _summary(answered=5, skipped=5), True),
        ("3", _summary(answered=5, rejected=3), True),
        ("3", _summary(answered=5, rejected=2, uncertain=2), False),
    ],
)
def test_rows_without_a_usable_answer_count(limit: str, summary: dict[str, Any], is_fine: bool) -> None:  # noqa: FBT001 -- pytest names it
    """Rejected and unusable ones, too; those that the recipe skips do not."""
    known = MostFailed.parsed(limit)
    assert known is not None
    if is_fine:
        known.check(summary, "batchdrop retry JOB")
        return
    with pytest.raises(TooManyFailedError) as caught:
        known.check(summary, "batchdrop retry JOB")
    assert caught.value.exit_code == 4


def test_the_message_says_how_many_and_what_to_do() -> None:
    """With the kinds, the limit, and the command that repairs them."""
    known = MostFailed.parsed("1%")
    assert known is not None
    with pytest.raises(TooManyFailedError) as caught:
        known.check(_summary(answered=97, invalid=2, rejected=1), "batchdrop retry JOB")
    assert str(caught.value) == (
        "3 of 100 rows (3.00 %) have no usable answer: 2 invalid, 1 rejected. --max-failed allows 1%. The outputs are "
        "complete; failed.jsonl has the rows. Send them again: batchdrop retry JOB"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("drop", "r.yaml", "f.csv", "--max-failed", "1%"), "--max-failed judges a job that has ended; give --wait"),
        (("retry", "--max-failed", "1%"), "--max-failed judges a job that has ended; give --wait"),
        (("drop", "r.yaml", "f.csv", "--wait", "--max-failed", "some"), "is not a limit"),
    ],
)
def test_wrong_usage(words: tuple[str, ...], message: str) -> None:
    """Exit code 2, before anything is looked at."""
    result = CliRunner().invoke(app, [*words])
    assert (result.exit_code, message in " ".join(result.output.split())) == (2, True), result.output
