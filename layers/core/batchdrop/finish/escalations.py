"""Which rows of a shard go to the other model, and which of their answers counts."""

from __future__ import annotations

from array import array

from batchdrop.answers.escalation import EscalationRule, escalation_rule
from batchdrop.answers.odd_records import read_line
from batchdrop.answers.outcome import Outcome, of_result
from batchdrop.answers.shape import AnswerShape
from batchdrop.answers.verdict import Verdict
from batchdrop.job.job_files import shape_of
from batchdrop.job.manifest import Manifest
from batchdrop.report.escalated import Escalated

# Flags of a row: its first answer can be used; it has a second one; the first stays; the other model's pack missed it.
_USABLE, _SECOND, _KEPT, _MISSED = 1, 2, 4, 8


class Escalations:
    """The escalations of one shard, over all its rounds. Memory holds 6 bytes a row.

    A row is claimed by the round whose paid answer meets `when`. From then on, only the other model answers it: every
    line of a later round is the other model's. So the lines alone say what happened, in whatever order they are read
    within a round. `refused` are the claimed rows that the account's trouble refused in the round that is being read.
    """

    def __init__(self, rule: EscalationRule, shape: AnswerShape, rows: int) -> None:
        self._rule = rule
        self._shape = shape
        self._claimed = array("H", [0]) * rows  # the round, from 1, that claimed the row; 0: none
        self._tries = array("H", [0]) * rows  # the rounds that sent it to the other model
        self._reasons = bytearray(rows)
        self._flags = bytearray(rows)
        self.refused: set[int] = set()

    def begin_round(self) -> None:
        """Forget what the round before refused."""
        self.refused.clear()

    def sent(self, row: int, round_number: int, verdict: Verdict, *, is_missed: bool = False) -> None:
        """Count a line of a row. Rounds count from 1. `is_missed`: a pack has no answer for it, so it goes alone next.

        The tries before that do not count.
        """
        if self.is_second(row, round_number):
            self._tries[row] += 1
            if is_missed:
                self._tries[row] = 0
                self._flags[row] |= _MISSED
            if verdict is Verdict.ACCOUNT:
                self.refused.add(row)

    def keeps_first(self, row: int, round_number: int, line: bytes) -> bool:
        """Judge a paid answer of a row. Return whether an earlier answer of the row stays in its place."""
        outcome = self._outcome(line)
        is_usable = outcome is not None and outcome.fate == "answered"
        if self.is_second(row, round_number):
            stays = bool(self._flags[row] & _USABLE) and not is_usable
            self._flags[row] |= _SECOND | (_KEPT if stays else 0)
            return stays
        met = None if outcome is None else self._rule.met_by(outcome)
        self._claimed[row] = 0 if met is None else round_number
        self._reasons[row] = met or 0
        self._flags[row] = _USABLE if is_usable else 0
        return False

    @property
    def claimed(self) -> set[int]:
        """Return the rows that the other model answers, or has answered."""
        return {row for row, round_number in enumerate(self._claimed) if round_number}

    def tries(self, row: int) -> int:
        """Return the rounds that sent a row to the other model, since a pack missed it if one did."""
        return self._tries[row]

    def was_sent(self, row: int) -> bool:
        """Return whether the row was sent to the other model."""
        return self._tries[row] > 0 or self._flags[row] & (_SECOND | _MISSED) > 0

    def was_missed(self, row: int) -> bool:
        """Return whether a pack of the other model missed the row."""
        return self._flags[row] & _MISSED > 0

    def waiting(self, *, most: int) -> set[int]:
        """Return the claimed rows without a second answer that were sent to the other model in fewer rounds."""
        return {row for row in self.claimed if not self._flags[row] & _SECOND and self._tries[row] < most}

    def reason(self, row: int) -> str | None:
        """Return why a row is claimed, in the recipe's words; None if it is not."""
        return self._rule.texts[self._reasons[row]] if self._claimed[row] else None

    def counted(self) -> Escalated:
        """Return how many rows were escalated, why, and what became of them."""
        found = Escalated()
        for row in self.claimed:
            text = self._rule.texts[self._reasons[row]]
            found.reasons[text] = found.reasons.get(text, 0) + 1
            found.rows += 1
            found.answered += bool(self._flags[row] & _SECOND)
            found.kept += bool(self._flags[row] & _KEPT)
        return found

    def is_second(self, row: int, round_number: int) -> bool:
        """Return whether a line of this round is the other model's. Rounds count from 1."""
        return 0 < self._claimed[row] < round_number

    def _outcome(self, line: bytes) -> Outcome | None:
        """Return what an answer says; None if its content cannot be read."""
        result = read_line(line)
        outcome = of_result(result.result, self._shape)
        return None if outcome.message is None else outcome


def escalations_of(manifest: Manifest, rows: int) -> Escalations | None:
    """Return a shard's escalations before its first round; None if the recipe escalates nothing."""
    recipe = manifest.recipe
    if recipe is None or recipe.escalate is None:
        return None
    shape = shape_of(manifest)
    is_limited = manifest.waves and not manifest.is_packed  # rounds with packs never have a smaller `max_tokens`
    rule = escalation_rule(recipe, shape, least_cut=recipe.own_tokens or 0 if is_limited else 0)
    return None if rule is None else Escalations(rule, shape, rows)
