"""Decide which paid answers go to another model: those that meet `escalate.when`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

from batchdrop.answers.outcome import Outcome
from batchdrop.answers.shape import AnswerShape
from batchdrop.recipe.recipe import Recipe
from batchdrop.recipe.when import ORDERS, All, Alternative, Comparison, Condition, Some, Status, parse_when

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
Meets = Callable[[Outcome], bool]


class EscalationRule:
    """When an answer goes to the other model. `texts` are the alternatives of `when`, as the recipe has them.

    An answer with the status `max_tokens` and fewer than `least_cut` output tokens was cut by a smaller limit than the
    recipe's, so it does not count.
    """

    def __init__(self, alternatives: Iterable[Alternative], shape: AnswerShape, *, least_cut: int = 0) -> None:
        known = [*alternatives]
        self.texts = [alternative.text for alternative in known]
        self._meets = [_meets(alternative.condition, [*shape.fields]) for alternative in known]
        self._least_cut = least_cut

    def met_by(self, outcome: Outcome) -> int | None:
        """Return the number of the first alternative that an answer meets; None if it meets none."""
        message = outcome.message
        if outcome.status == "max_tokens" and message is not None and message.usage.output_tokens < self._least_cut:
            return None
        return next((number for number, meets in enumerate(self._meets) if meets(outcome)), None)


def escalation_rule(recipe: Recipe, shape: AnswerShape, *, least_cut: int = 0) -> EscalationRule | None:
    """Return the recipe's rule; None if it escalates nothing."""
    if recipe.escalate is None:
        return None
    return EscalationRule(parse_when(recipe.escalate.when), shape, least_cut=least_cut)


def _meets(condition: Condition, fields: list[str]) -> Meets:
    """Return a function that tells whether an outcome meets the condition. A null value is in no order."""
    match condition:
        case Status(status=status):
            return lambda outcome: outcome.status == status
        case Comparison(field=field, value=wanted):
            return _compares(fields.index(field), condition.operator, wanted)
        case All(parts=parts):
            every = [_meets(part, fields) for part in parts]
            return lambda outcome: all(meets(outcome) for meets in every)
        case Some(parts=parts):
            each = [_meets(part, fields) for part in parts]
            return lambda outcome: any(meets(outcome) for meets in each)


def _compares(column: int, sign: str, wanted: Any) -> Meets:
    compare, is_ordered = _OPERATORS[sign], sign in ORDERS

    def meets(outcome: Outcome) -> bool:
        if outcome.status != "answered":
            return False
        value = outcome.values[column]
        return not (is_ordered and value is None) and compare(value, wanted)

    return meets
