"""Parse `escalate.when`: comparisons of answer fields, and statuses. It is a small language of its own, never Python.

    or         = and {"or" and}
    and        = term {"and" term}
    term       = "(" or ")" | status | field operator value
    operator   = "<" | "<=" | ">" | ">=" | "==" | "!="
    value      = a number | a text in quotes | "true" | "false" | "null"

A field with another name than a word stands in backticks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from batchdrop.recipe.words import nearest

STATUSES = ("invalid", "refusal", "max_tokens", "empty", "model_context_window_exceeded")  # paid, and unusable
ORDERS = ("<", "<=", ">", ">=")
OPERATORS = (*ORDERS, "==", "!=")
DEEPEST = 20  # ours: brackets in brackets

Value = str | int | float | bool | None
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?(?:\d+\.\d+|\d+)(?:[eE][+-]?\d+)?(?![\w.]))"
    r"|(?P<text>'[^']*'|\"[^\"]*\")|(?P<name>`[^`]+`)|(?P<word>[^\W\d]\w*)|(?P<sign><=|>=|==|!=|<|>|\(|\)))"
)


class WhenInvalid(ValueError):
    """A condition that cannot be read, or that no answer can meet; the message says where and what to write."""


@dataclass(frozen=True, slots=True)
class Status:
    """The answer ended with this status, such as `refusal`."""

    status: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field of a complete answer, compared with a value. `at` is its place in the text, from 0."""

    field: str
    operator: str
    value: Value
    at: int = 0


@dataclass(frozen=True, slots=True)
class All:
    """Every part is met."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part is met."""

    parts: tuple[Condition, ...]


Condition = Status | Comparison | All | Some


class Alternative(NamedTuple):
    """One reason to escalate: its text as the recipe has it, and what it means."""

    text: str
    condition: Condition


def parse_when(when: str | Sequence[str]) -> list[Alternative]:
    """Return the alternatives of `when`: those of a list, or the parts of `or` in a text. Raises WhenInvalid."""
    texts = [when] if isinstance(when, str) else [*when]
    if not texts:
        message = "it is empty; write a comparison, such as 'confidence < 0.8', or statuses, such as [invalid]"
        raise WhenInvalid(message)
    return [one for text in texts for one in _alternatives(text)]


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Yield each comparison."""
    match condition:
        case Comparison():
            yield condition
        case All(parts=parts) | Some(parts=parts):
            for part in parts:
                yield from comparisons(part)
        case Status():
            return


def statuses(condition: Condition) -> Iterator[str]:
    """Yield each status."""
    match condition:
        case Status(status=status):
            yield status
        case All(parts=parts) | Some(parts=parts):
            for part in parts:
                yield from statuses(part)
        case Comparison():
            return


def place(text: str, at: int) -> str:
    """Return where a fault is: `'confidence < .8', column 14`."""
    return f"'{text}', column {at + 1}"


def _alternatives(text: str) -> list[Alternative]:
    parser = _Parser(text)
    parts = [parser.conjunction(0)]
    starts, ends = [0], []
    while parser.word == "or":
        ends.append(parser.token.at)
        parser.take()
        starts.append(parser.token.at)
        parts.append(parser.conjunction(0))
    if parser.token.kind != "end":
        reason = "write 'and' or 'or' between two comparisons"
        raise parser.refusal(reason)
    ends.append(len(text))
    each = zip(parts, starts, ends, strict=True)
    return [Alternative(" ".join(text[start:end].split()), part) for part, start, end in each]


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self.token = next(self._tokens)

    @property
    def word(self) -> str:
        return self.token.text if self.token.kind == "word" else ""

    def take(self) -> _Token:
        token, self.token = self.token, next(self._tokens, self.token)
        return token

    def refusal(self, reason: str) -> WhenInvalid:
        found = f"'{self.token.text}'" if self.token.text else "the end"
        return WhenInvalid(f"{place(self._text, self.token.at)}: {found} is not expected here; {reason}")

    def disjunction(self, depth: int) -> Condition:
        parts = [self.conjunction(depth)]
        while self.word == "or":
            self.take()
            parts.append(self.conjunction(depth))
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def conjunction(self, depth: int) -> Condition:
        parts = [self._term(depth)]
        while self.word == "and":
            self.take()
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _term(self, depth: int) -> Condition:
        if self.token.text == "(" and self.token.kind == "sign":
            return self._in_brackets(depth + 1)
        if self.token.kind not in {"word", "name"} or self.word in {"and", "or", *_CONSTANTS}:
            raise self.refusal(f"write a field of the answer, or a status ({', '.join(STATUSES)})")
        first = self.take()
        name = first.text.strip("`") if first.kind == "name" else first.text
        if self.token.kind == "sign" and self.token.text in OPERATORS:
            return Comparison(name, self.take().text, self._value(), first.at)
        if first.kind == "word" and name in STATUSES:
            return Status(name, first.at)
        near = nearest(name, STATUSES)
        wanted = f"compare it ({name} < 0.8, {name} == 'text'), or write a status ({', '.join(STATUSES)})"
        raise WhenInvalid(f"{place(self._text, first.at)}: '{name}' is not a status{near}; {wanted}")

    def _in_brackets(self, depth: int) -> Condition:
        if depth > DEEPEST:
            raise self.refusal(f"use at most {DEEPEST} brackets in brackets")
        self.take()
        inner = self.disjunction(depth)
        if self.token.text != ")" or self.token.kind != "sign":
            reason = "close the bracket with ')'"
            raise self.refusal(reason)
        self.take()
        return inner

    def _value(self) -> Value:
        if self.token.kind == "number":
            text = self.take().text
            return int(text) if text.lstrip("-").isdigit() else float(text)
        if self.token.kind == "text":
            return self.take().text[1:-1]
        if self.word in _CONSTANTS:
            return _CONSTANTS[self.take().text]
        hint = f"; a text stands in quotes: '{self.word}'" if self.word else ""
        raise self.refusal(f"write a number (0.8), a text in quotes, true, false or null{hint}")


def _tokens(text: str) -> Iterator[_Token]:
    """Yield the tokens, then one of kind `end`. Raises WhenInvalid."""
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            raise WhenInvalid(f"{place(text, start)}: {_unknown(text[start:])}")
        yield _Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup))
        at = found.end()
    yield _Token("end", "", len(text))


def _unknown(rest: str) -> str:
    if rest.startswith("="):
        return "'=' is not an operator; compare with '=='"
    if rest[0] in "'\"`":
        return f"the quote {rest[0]} is not closed; add it at the end of the text"
    if rest[0] in "-.0123456789":
        return f"'{rest.split(maxsplit=1)[0]}' is not a number; write 0.8, -1 or 1e-3"
    return f"'{rest[0]}' has no meaning here; operators are {' '.join(OPERATORS)}, and, or"
