"""Count the rows that went to another model, and say what both models cost."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from batchdrop.answers.tokens import Tokens
from batchdrop.money.cost import dollars
from batchdrop.money.prices import PriceTable
from batchdrop.recipe.recipe import Recipe


class Escalated(msgspec.Struct):
    """The rows whose answer met `when`; rows that share a request count once.

    `answered` counts those with a paid answer of the other model, `kept` those of them whose first answer stays,
    because the second one cannot be used. `reasons` counts the rows by the alternative of `when` that they met.
    """

    rows: int = 0
    answered: int = 0
    kept: int = 0
    reasons: dict[str, int] = {}

    def merge(self, other: Escalated) -> None:
        """Add those of another shard."""
        self.rows += other.rows
        self.answered += other.answered
        self.kept += other.kept
        for text, count in other.reasons.items():
            self.reasons[text] = self.reasons.get(text, 0) + count


class ModelBlock(msgspec.Struct, frozen=True):
    """All paid answers of one model, and their cost; null if its price is not known."""

    model: str
    answers: int
    usd: Decimal | None


class EscalationBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Escalation in `summary.json`: `rows` met `when`, and `to` is the other model.

    `share` is their part of the paid first answers. `models` has the cost of each model, the recipe's own first.
    """

    to: str
    rows: int
    answered: int
    kept: int
    share: float
    reasons: dict[str, int]
    models: list[ModelBlock]


def escalation_block(
    recipe: Recipe | None, counted: Escalated, tokens: Iterable[Tokens], prices: PriceTable | None
) -> EscalationBlock | None:
    """Return a job's block; None if its recipe escalates nothing."""
    if recipe is None or recipe.escalate is None:
        return None
    to = recipe.escalate.to
    by_model: dict[str, list[Tokens]] = {}
    for one in tokens:
        by_model.setdefault(one.model, []).append(one)
    in_order = sorted(by_model, key=lambda model: (model == to, model))
    models = [ModelBlock(name, _answers(by_model[name]), dollars(by_model[name], prices)) for name in in_order]
    firsts = sum(one.answers for one in models) - counted.answered
    return EscalationBlock(
        to=to,
        rows=counted.rows,
        answered=counted.answered,
        kept=counted.kept,
        share=round(counted.rows / firsts, 4) if firsts > 0 else 0.0,
        reasons=counted.reasons,
        models=models,
    )


def _answers(tokens: Iterable[Tokens]) -> int:
    return sum(one.answers for one in tokens)
