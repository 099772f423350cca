"""The work and the text that one row's template may cost, counted while it is rendered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from jinja2.exceptions import SecurityError
from jinja2.runtime import Context

MAX_STEPS = 1_000_000  # ours: iterations of all loops of one row; about a second
MAX_TEXT = 128_000_000  # ours: characters of all operations' results; four times the largest request
BUDGET = "\0budget"  # holds the budget of a rendering; no template can name it
_ITEM = 8  # characters that an item of a list counts as


class Budget:
    """What is left of a row's steps and characters. Each method raises SecurityError when it is used up."""

    def __init__(self) -> None:
        self._steps = MAX_STEPS
        self._chars = MAX_TEXT

    def step(self, count: int = 1) -> None:
        """Count steps."""
        self._steps -= count
        if self._steps < 0:
            message = f"more than {MAX_STEPS:,} steps"
            raise SecurityError(message)

    def write(self, chars: int) -> None:
        """Count characters that are or will be in memory."""
        self._chars -= chars
        if self._chars < 0:
            message = f"more than {MAX_TEXT:,} characters"
            raise SecurityError(message)

    def result(self, value: Any) -> Any:
        """Count an operation's result, and return it; an iterator counts each item when it is taken."""
        if isinstance(value, str):
            self.write(len(value))
        elif isinstance(value, (list, tuple, dict, set)):
            self.write(_ITEM * len(value))
        elif isinstance(value, Iterator):
            return self.counted(value)
        return value

    def counted(self, items: Iterable[Any], chars: int = 0) -> Iterator[Any]:
        """Yield the items, a step for each; `chars` are written for each."""
        for item in items:
            self.step()
            if chars:
                self.write(chars)
            yield item


def budget_of(context: Context) -> Budget:
    """Return the budget of a rendering; a new one where a template runs without, as Jinja does for constants."""
    found = context.get(BUDGET)
    return found if isinstance(found, Budget) else Budget()


def check_replace(budget: Budget, text: Any, old: Any = "", new: Any = "", count: Any = None, *_: Any) -> None:
    """Count what `replace` adds, before it is built."""
    if isinstance(text, str) and isinstance(old, str) and isinstance(new, str):
        found = text.count(old)
        many = min(found, count) if isinstance(count, int) and count >= 0 else found
        budget.write(max(0, len(new) - len(old)) * many)


def check_join(budget: Budget, between: Any, items: Any) -> list[Any] | Any:
    """Count what `join` builds; return the items, which may have been an iterator."""
    if not isinstance(items, Iterable):
        return items
    taken = []
    for item in items:
        budget.step()
        budget.write(
            (len(item) if isinstance(item, str) else _ITEM) + (len(between) if isinstance(between, str) else 0)
        )
        taken.append(item)
    return taken


def check_indent(budget: Budget, text: Any, width: Any = 4, *_: Any, **__: Any) -> None:
    """Count the spaces that `indent` adds, before it adds them."""
    size = len(width) if isinstance(width, str) else width if isinstance(width, int) else 0
    if isinstance(text, str):
        budget.write(max(0, size) * (text.count("\n") + 1))


def check_translate(budget: Budget, text: Any, table: Any = None) -> None:
    """Count what `str.translate` may build: each character can become the table's longest text."""
    if isinstance(text, str) and isinstance(table, dict):
        budget.write(len(text) * max((len(new) for new in table.values() if isinstance(new, str)), default=1))


def checked_sum(budget: Budget, numbers: Iterable[Any], start: Any = 0) -> Any:
    """Add numbers. Raises SecurityError for texts and lists, whose sums take quadratic time."""
    total = start
    for number in budget.counted(numbers):
        total = total + number
        if not isinstance(total, int | float):
            message = "sum is for numbers; use join for texts"
            raise SecurityError(message)
        if isinstance(total, int):
            budget.write(total.bit_length() >> 6)
    return total
