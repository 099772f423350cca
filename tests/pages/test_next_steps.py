"""The report's sentences: what to do about each fate, with its command, and what is not billed again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from batchdrop.adapters.pages.html_pages import HtmlPages
from batchdrop.adapters.pages.next_steps import next_steps, to_go_on
from batchdrop.adapters.pages.plain_labels import is_code, plain_label
from batchdrop.report.commands import Commands
from batchdrop.report.summary import Fault, PerhapsPaidBlock, Summary, TallyBlock
from tests.jobs import JOB, World

COMMANDS = Commands(("--stack", "prod"))
RETRY = f"batchdrop retry {JOB} --stack prod"
RESUME = f"batchdrop resume {JOB} --stack prod"


def _summary(statuses: dict[str, int] | None = None, **changes: Any) -> Summary:
    """A job of ten rows; the fates not in `changes` are zero, the rest is answered."""
    world = World(pages=HtmlPages()).drop("inbox/r/f.csv", b"x\n1\n")
    world.run()
    fates = {name: changes.pop(name, 0) for name in ("unusable", "failed", "rejected")}
    answered = 10 - sum(fates.values())
    tally = TallyBlock(rows=10, answered=answered, shared=0, statuses=statuses or {}, **fates)
    return msgspec.structs.replace(world.close(), tally=tally, **changes)


@pytest.mark.parametrize(
    ("summary", "steps"),
    [
        (_summary(), []),
        (_summary({"failed": 2}, failed=2), [("2 rows were sent but not answered.", RETRY)]),
        (_summary({"not_sent": 1}, failed=1), [("1 row was not sent.", RETRY)]),
        (
            _summary({"uncertain": 1}, failed=1, perhaps_paid=PerhapsPaidBlock(1, 1)),
            [("1 row was perhaps paid. perhaps-paid.jsonl has them. Do not drop it.", RESUME)],
        ),
        (
            _summary({"rejected": 1, "skipped": 2}, rejected=3),
            [("1 row was rejected", f"batchdrop drop failed.jsonl --into {JOB} --stack prod")],
        ),
        (
            _summary({"refusal": 1}, unusable=1),
            [("1 answer was refused by the model", ""), ("This sends rows without a usable answer again.", RETRY)],
        ),
        (
            _summary({"max_tokens": 2, "failed": 1}, unusable=2, failed=1),
            [("1 row was sent but", RETRY), ("2 answers were cut at max_tokens. Raise max_tokens", "")],
        ),
    ],
)
def test_steps(summary: Summary, steps: list[tuple[str, str]]) -> None:
    """In order, the most urgent first; each command works where the job ran."""
    found = next_steps(summary, COMMANDS)
    assert [step.command for step in found] == [command for _, command in steps]
    for step, (begin, _) in zip(found, steps, strict=True):
        assert step.text.startswith(begin)


def test_a_run_on_the_emulator_starts_again() -> None:
    """Nothing is left of its stack, so no row can be sent alone, and no option of `retry` is named."""
    again = Commands(own={"retry": "batchdrop run r.yaml f.csv"})
    step = next_steps(_summary({"refusal": 1}, unusable=1), again)[-1]
    assert step.command == "batchdrop run r.yaml f.csv"
    assert step.text == "Change the recipe or these rows. This runs the whole file again:"


@pytest.mark.parametrize(
    ("status", "fault", "begin", "command"),
    [
        ("failed", "AccountTrouble", "Fix the fault above, then resume: 10 answers are kept and not billed", RESUME),
        ("canceled", "JobCanceled", "Resume when you like: 10 answers are kept and not billed again.", RESUME),
        ("failed", "TooFewAnswered", "Fix the cause, as the reasons below say. Then retry the rows: 10 answers", RETRY),
    ],
)
def test_how_a_red_job_goes_on(status: Any, fault: str, begin: str, command: str) -> None:
    """One command, and what is not billed again."""
    step = to_go_on(_summary(status=status, faults=[Fault(fault, "why")]), COMMANDS)
    assert step is not None
    assert (step.text.startswith(begin), step.command) == (True, command)


def test_a_green_job_needs_none() -> None:
    """Nothing is to be continued."""
    assert to_go_on(_summary(), COMMANDS) is None


@pytest.mark.parametrize(
    ("kind", "label", "code"),
    [
        ("api_error", "The API failed", True),
        ("not_sent", "Not sent: the sample was not approved", True),
        ("it has … cells", "It has … cells", False),
        ("new_error_type", "New_error_type", False),
    ],
)
def test_kinds_in_plain_words(kind: str, label: str, code: bool) -> None:  # noqa: FBT001 - a test's parameter
    """A name for programs gets words; the common part of reasons is its own label."""
    assert (plain_label(kind), is_code(kind)) == (label, code)
