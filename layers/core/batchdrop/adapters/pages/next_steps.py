"""What a user does now: the sentences, and the commands, that stand on a report's first screen."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from batchdrop.job.manifest import Manifest
from batchdrop.report.summary import Summary

FLAGS = {  # by `_status`: what it means, and what to do
    "max_tokens": "cut at max_tokens. Raise max_tokens in the recipe, or set retry: {max_tokens: x2}.",
    "refusal": "refused by the model, which is billed. Look at the rows below.",
    "invalid": "not of the recipe's answer types. Set retry: {invalid: 1} to have such rows asked once more.",
    "model_context_window_exceeded": "cut at the end of the model's context window. Shorten the rows.",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do; `command` may be empty."""

    text: str
    command: str = ""


def next_steps(summary: Summary, manifest: Manifest | None) -> list[Step]:
    """Return what there is to do, the most pressing first."""
    steps = _for_faults(summary)
    tally = summary.tally
    if summary.outputs.output and tally.answered:
        name = summary.outputs.output.rpartition("/")[2]
        steps.append(Step(f"Open {name}: all {tally.rows:,} rows, in the input's order, with the new columns."))
    if tally.failed and summary.status == "succeeded":
        advice = "failed.jsonl has them with the reason, and can be dropped back in as it is:"
        steps.append(Step(f"{_rows(tally.failed)} asked without an answer. {advice}", _drop_again(summary, manifest)))
    if tally.rejected:
        advice = "mend what failed.jsonl has of them, as the reasons below say, then drop it again."
        steps.append(Step(f"{_rows(tally.rejected)} rejected and never asked: {advice}"))
    for status, advice in FLAGS.items():
        count = tally.statuses.get(status, 0)
        if count:
            steps.append(Step(f"{count:,} {'answer was' if count == 1 else 'answers were'} {advice}"))
    return steps


def _for_faults(summary: Summary) -> list[Step]:
    if summary.status == "succeeded":
        return []
    if not summary.outputs.output:
        return [Step("Mend what the message above says, then drop the file again. Nothing was sent, nothing was paid.")]
    first = "Go on when you like" if summary.status == "canceled" else "Mend what the message above says, then resume"
    return [
        Step(
            f"{first}: what is answered is kept and not asked again.", f"batchdrop resume {shlex.quote(summary.job_id)}"
        )
    ]


def _drop_again(summary: Summary, manifest: Manifest | None) -> str:
    bucket = f"s3://{manifest.upload.bucket if manifest else 'BUCKET'}"
    inbox = f"{bucket}/{summary.input.rpartition('/')[0]}/"
    return f"aws s3 cp {shlex.quote(f'{bucket}/{summary.outputs.failed}')} {shlex.quote(inbox)}"


def _rows(count: int) -> str:
    return "1 row was" if count == 1 else f"{count:,} rows were"
