"""Decide which rows the next round sends: unpaid rows that may succeed, and paid answers that the recipe retries."""

from __future__ import annotations

from collections.abc import Callable

from batchdrop.answers.odd_records import read_line
from batchdrop.answers.result import Succeeded
from batchdrop.answers.verdict import Verdict
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.job.job_files import shape_of
from batchdrop.job.manifest import Manifest
from batchdrop.recipe.recipe import DEFAULT_ROUNDS


def rounds_of(manifest: Manifest, resumes: int) -> int:
    """Return the most rounds of a shard: the recipe's, and as many again for each resume."""
    return (manifest.recipe.max_rounds if manifest.recipe else DEFAULT_ROUNDS) * (1 + resumes)


def to_send_again(index: AnswerIndex, manifest: Manifest) -> tuple[set[int], set[int]]:
    """Return the rows to send again unchanged, and the rows to send with a raised `max_tokens`."""
    unpaid = {*index.rows_with(Verdict.LEFTOVER), *index.rows_with(Verdict.ACCOUNT)}
    if manifest.recipe is None:
        return unpaid, set()
    retry = manifest.recipe.retry
    raises = retry.max_tokens == "x2"
    invalid = index.invalid(retry.invalid)
    raised = index.cut() | {row for row in invalid if index.was_cut(row)} if raises else set()
    return (unpaid | invalid) - raised, raised


def breaks_of(manifest: Manifest) -> Callable[[bytes], bool] | None:
    """Return a check whether an answer breaks the recipe's `answer`; None if such answers are not retried."""
    if manifest.recipe is None or not manifest.recipe.retry.invalid:
        return None
    shape = shape_of(manifest)

    def breaks(line: bytes) -> bool:
        result = read_line(line).result
        if not isinstance(result, Succeeded):  # paid, but without a message that can be read
            return False
        message = result.message
        # A refusal or a cut answer breaks every schema, but `retry.invalid` is not for them.
        return shape.is_complete(message.stop_reason or "end_turn") and not shape.is_valid(shape.text_of(message))

    return breaks
