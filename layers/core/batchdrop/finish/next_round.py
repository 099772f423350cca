"""Decide which rows the next round sends: unpaid rows that may succeed, and paid answers that the recipe retries."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

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


class SendAgain(NamedTuple):
    """The rows of the next round: unchanged ones, those with a raised `max_tokens`, and those for the other model.

    A row for the other model may be raised, too.
    """

    unchanged: set[int]
    raised: set[int]
    escalated: set[int]

    @property
    def requests(self) -> int:
        """Return how many rows are sent."""
        return len(self.unchanged | self.raised | self.escalated)


def next_requests(index: AnswerIndex, manifest: Manifest, *, most: int) -> SendAgain:
    """Return the rows that wait for a next round. The other model has at most `most` rounds for each of them."""
    unchanged, raised = to_send_again(index, manifest)
    return SendAgain(unchanged, *escalated_rows(index, manifest, raised, most=most))


def within_rounds(again: SendAgain, index: AnswerIndex, *, rounds: int, most: int) -> SendAgain:
    """Return the rows that a shard may send after `rounds` rounds. Each of both models has `most` rounds for a row."""
    escalated = again.escalated & index.escalated(most=most)
    if rounds < most:
        return SendAgain(again.unchanged, again.raised - (again.escalated - escalated), escalated)
    return SendAgain(set(), again.raised & escalated, escalated)


def escalated_rows(index: AnswerIndex, manifest: Manifest, raised: set[int], *, most: int) -> tuple[set[int], set[int]]:
    """Return the raised rows, with those that are raised for the other model, and all rows that wait for that one."""
    escalated = index.escalated(most=most)
    raises = manifest.recipe is not None and manifest.recipe.retry.max_tokens == "x2"
    return raised | {row for row in escalated if raises and index.was_cut(row)}, escalated


def to_send_again(index: AnswerIndex, manifest: Manifest) -> tuple[set[int], set[int]]:
    """Return the rows to send again unchanged, and the rows to send with a raised `max_tokens`."""
    unpaid = {*index.rows_with(Verdict.LEFTOVER), *index.rows_with(Verdict.ACCOUNT)}
    if manifest.recipe is None:
        return unpaid, set()
    retry = manifest.recipe.retry
    raises = retry.max_tokens == "x2"
    invalid = without_escalated(index, index.invalid(retry.invalid))
    cut = without_escalated(index, index.cut()) if raises else set()
    raised = cut | {row for row in invalid if index.was_cut(row)} if raises else set()
    return (unpaid | invalid) - raised, raised


def without_escalated(index: AnswerIndex, rows: set[int]) -> set[int]:
    """Return the rows that the recipe's own model still answers."""
    return rows - index.escalations.claimed if index.escalations is not None else rows


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
