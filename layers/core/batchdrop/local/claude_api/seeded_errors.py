"""Answers of models that agree, except for a seeded share of errors: so plans can be compared with each other."""

from collections.abc import Callable
from typing import TypeVar

from batchdrop.local.claude_api.dice import Dice, digest_of

_T = TypeVar("_T")
_TRIES = 16  # another answer is wrong only if it differs; an enum of one value has none

Answering = Callable[[str, Dice], _T]
"""Writes the answer to a text, by these dice."""


def seeded_answer(answer: Answering[_T], text: str, model: str, rate: float, seed: int) -> _T:
    """Return the right answer to a row's text, which all models share; or, for `rate` of the texts, a wrong one.

    Each model has dice of its own, so two models err on different rows.
    """
    right = answer(text, Dice(digest=digest_of(text), salt=2 * seed))
    if Dice("errs", model, text, salt=seed).fraction() >= rate:
        return right
    wrong = right
    for attempt in range(_TRIES):
        wrong = answer("", Dice("wrong", model, text, str(attempt), salt=seed))
        if wrong != right:
            break
    return wrong
