"""Rows that may be paid, on the command line: listed by `show`, and read again by `resume`."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from batchdrop.cli.job.figures import perhaps_paid
from batchdrop.cli.main import app
from tests.cli.deployed import BUCKET, Deployed
from tests.fakes import FakeBatchApi
from tests.finish.odd_bodies import UNREADABLE
from tests.jobs import JOB, reviews

RECIPE = "model: claude-haiku-5-5\nprompt: 'ask {{ x }}'\nlane: batch\n"


def run(*words: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [*words], catch_exceptions=False)


def _ended(deployed: Deployed, *, garbled: bool) -> None:
    """Have a job that succeeded; one of its records could be unreadable."""
    api = FakeBatchApi()
    if garbled:
        api.spoil = lambda lines: [UNREADABLE["message null"](lines[0]), *lines[1:]]
    world = deployed.job(reviews(3), recipe=RECIPE, api=api)
    deployed.start(msgspec.structs.replace(world.upload, bucket=BUCKET), "SUCCEEDED")


def test_show_lists_them_and_names_the_command(deployed: Deployed) -> None:
    """How many, what they may cost, and how to read their results again."""
    _ended(deployed, garbled=True)
    shown = run("show", JOB).stdout
    assert "1 request without a readable result may be paid, at most $0.0" in shown
    assert f"batchdrop resume {JOB}" in shown


def test_a_job_that_succeeded_is_resumed_for_them(deployed: Deployed) -> None:
    """The message says what the resume does."""
    _ended(deployed, garbled=True)
    told: dict[str, Any] = json.loads(run("resume", JOB, "--json").stdout)
    assert told["execution"] == f"{JOB}-r1"
    assert "1 row may be paid: the API's results are read again for them" in told["message"]


def test_a_job_that_succeeded_without_them_is_not_resumed(deployed: Deployed) -> None:
    """There is nothing to read again."""
    _ended(deployed, garbled=False)
    assert "may be paid" not in run("show", JOB).stdout
    result = run("resume", JOB)
    assert (result.exit_code, f"job {JOB} succeeded" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (None, ""),
        ({"rows": 0, "requests": 0, "worst_usd": 0}, ""),
        (
            {"rows": 2, "requests": 2, "worst_usd": 1.5},
            "2 requests without a readable result may be paid, at most $1.50",
        ),
        (
            {"rows": 1, "requests": 1, "worst_usd": None},
            "1 request without a readable result may be paid, at an unknown",
        ),
    ],
)
def test_the_sentence(block: dict[str, Any] | None, words: str) -> None:
    """Empty without such requests; summaries of older versions have no block."""
    summary = {} if block is None else {"perhaps_paid": block}
    assert perhaps_paid(summary).startswith(words)
    assert bool(perhaps_paid(summary)) == bool(words)
