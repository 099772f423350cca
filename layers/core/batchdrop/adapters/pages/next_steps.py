"""The report's next steps: sentences and commands on its first screen."""

from __future__ import annotations

from dataclasses import dataclass

from batchdrop.report.commands import Commands
from batchdrop.report.going_on import TOO_FEW, kept_answers
from batchdrop.report.summary import Summary

FLAGS = {  # by `_status`: its meaning, and what to do
    "max_tokens": "cut at max_tokens. Raise max_tokens in the recipe, or set retry: {max_tokens: x2}.",
    "refusal": "refused by the model; refusals are billed. Check the rows below.",
    "empty": "empty: no text, or only thinking. Such answers are billed.",
    "invalid": "not valid for the recipe's answer types. Set retry: {invalid: 1} to send such rows once more.",
    "model_context_window_exceeded": "cut at the end of the model's context window. Shorten the rows.",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do; `command` may be empty."""

    text: str
    command: str = ""


def next_steps(summary: Summary, commands: Commands) -> list[Step]:
    """Return what to do about rows without a usable answer, the most urgent first."""
    steps: list[Step] = []
    tally = summary.tally
    unpaid = tally.failed - summary.perhaps_paid.rows
    if unpaid and summary.status == "succeeded":
        advice = "failed.jsonl has them with the reasons. This sends them again and writes one whole output:"
        sent = "not sent" if unpaid == tally.statuses.get("not_sent", 0) else "sent but not answered"
        steps.append(Step(f"{_rows(unpaid)} {sent}. {advice}", commands.retry(summary.job_id)))
    if summary.perhaps_paid.rows:
        advice = (
            "perhaps-paid.jsonl has them. Do not drop it. This reads the API's results again and sends none of them:"
        )
        steps.append(
            Step(f"{_rows(summary.perhaps_paid.rows)} perhaps paid. {advice}", commands.resume(summary.job_id))
        )
    unfit = tally.rejected - tally.statuses.get("skipped", 0)
    if unfit:
        advice = "fix these rows in failed.jsonl, as the reasons below say. Then send them:"
        steps.append(Step(f"{_rows(unfit)} rejected and never sent: {advice}", commands.merge(summary.job_id)))
    for status, advice in FLAGS.items():
        count = tally.statuses.get(status, 0)
        if count:
            steps.append(Step(f"{count:,} {'answer was' if count == 1 else 'answers were'} {advice}"))
    if tally.unusable and not unpaid and summary.status == "succeeded":
        some = "This sends rows without a usable answer again. `--recipe` takes a changed recipe:"
        text = some if commands.can_retry else "Change the recipe or these rows. This runs the whole file again:"
        steps.append(Step(text, commands.retry(summary.job_id)))
    return steps


def to_go_on(summary: Summary, commands: Commands) -> Step | None:
    """Return how to go on with a job that ended red, and what is not billed again; None for a success."""
    if summary.status == "succeeded":
        return None
    job_id = summary.job_id
    if summary.faults and summary.faults[0].type in TOO_FEW:
        kept = kept_answers(summary.tally)
        return Step(f"Fix the cause, as the reasons below say. Then retry the rows: {kept}.", commands.retry(job_id))
    if not summary.outputs.output:
        return Step("Fix the fault above, then drop the file again. Nothing was sent, and nothing was paid.")
    first = "Resume when you like" if summary.status == "canceled" else "Fix the fault above, then resume"
    return Step(f"{first}: {kept_answers(summary.tally)}.", commands.resume(job_id))


def _rows(count: int) -> str:
    return "1 row was" if count == 1 else f"{count:,} rows were"
