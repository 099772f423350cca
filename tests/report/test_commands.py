"""Commands of a report work where the job ran."""

from __future__ import annotations

import pytest

from batchdrop.report.commands import Commands, commands_of

JOB = "20261122T120000-0123456789"


@pytest.mark.parametrize(
    ("commands", "resume"),
    [
        (Commands(), f"batchdrop resume {JOB}"),
        (
            commands_of(stack="prod", region="eu-west-1"),
            f"batchdrop resume {JOB} --stack prod --region eu-west-1",
        ),
        (
            commands_of(stack="batchdrop", endpoint_url="http://127.0.0.1:4566"),
            f"batchdrop resume {JOB} --endpoint-url http://127.0.0.1:4566",
        ),
        (commands_of('{"resume": "batchdrop run r.yaml f.csv --resume"}'), "batchdrop run r.yaml f.csv --resume"),
        (commands_of('{"resume": ""}', stack="prod"), ""),
    ],
)
def test_resume(commands: Commands, resume: str) -> None:
    """The stack's name and region on AWS, the address of an `up`, and the whole command of a `run`."""
    assert commands.resume(JOB) == resume


def test_retry_and_merge() -> None:
    """Both name the job, also for a run, whose report is written before the job's folder is known."""
    commands = commands_of(stack="prod")
    assert commands.retry(JOB) == f"batchdrop retry {JOB} --stack prod"
    assert commands.merge(JOB) == f"batchdrop drop failed.jsonl --into {JOB} --stack prod"
    own = commands_of('{"retry": "batchdrop retry %job% --out o"}')
    assert own.retry(JOB) == f"batchdrop retry {JOB} --out o"
