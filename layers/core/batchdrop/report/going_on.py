"""How to go on with a job that ended red: one command, and what it does not pay for again."""

from __future__ import annotations

from dataclasses import dataclass

from batchdrop.errors import NothingAnswered, TooFewAnswered
from batchdrop.report.commands import Commands
from batchdrop.report.summary import Summary, TallyBlock

TOO_FEW = {NothingAnswered.__name__, TooFewAnswered.__name__}


@dataclass(frozen=True, slots=True)
class GoingOn:
    """A command, and a sentence about the bill."""

    command: str
    kept: str


def going_on(summary: Summary, commands: Commands) -> GoingOn | None:
    """Return how to go on with a failed or canceled job; None if it succeeded, or if it has sent nothing."""
    if summary.status == "succeeded" or not summary.outputs.output:
        return None
    too_few = bool(summary.faults) and summary.faults[0].type in TOO_FEW
    command = (commands.retry if too_few else commands.resume)(summary.job_id)
    return GoingOn(command, kept_answers(summary.tally))


def kept_answers(tally: TallyBlock) -> str:
    """Return what is paid and will not be billed again; rows that share an answer count once."""
    paid = tally.answered + tally.unusable - tally.shared
    if not paid:
        return "no answer is paid yet"
    return "1 answer is kept and not billed again" if paid == 1 else f"{paid:,} answers are kept and not billed again"
