"""Estimate requests while they are split: the shared frame is measured once, each row by its own text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from batchdrop.answers.shape import AnswerShape
from batchdrop.money.answer_tokens import TEXT_SHARE, expected_tokens
from batchdrop.money.estimate import Estimate, step_of
from batchdrop.money.prompt_tokens import ROUNDED_UP, TextSize, request_size, tokeniser, wide_in
from batchdrop.recipe.recipe import Recipe

SMALL_CHARS = 50_000  # a shorter text is far below the price step of long prompts, in any script


@dataclass(frozen=True, slots=True)
class Frame:
    """The measured part that all requests of a recipe share: a request with empty row texts.

    `tokens` is its size. `is_marked`: the recipe's own `params` mark parts for the prompt cache. `expected` is the size
    of a typical answer. `is_plain`: its requests hold only text. `searches` is the most web searches of a request,
    `geo` its `inference_geo`.
    """

    model: str
    max_tokens: int
    tokens: float
    is_marked: bool
    expected: int
    is_plain: bool
    searches: int = 0
    geo: str = ""


def frame_of(recipe: Recipe, shape: AnswerShape, empty: bytes) -> Frame:
    """Return a recipe's frame; `empty` is the `params` of a row without text."""
    shared = request_size(empty)
    model, most = shared.model, shared.max_tokens
    return Frame(
        model,
        most,
        tokens=shared.input_tokens,
        is_marked=shared.may_be_cached,
        expected=expected_tokens(shape, model=model, max_tokens=most),
        is_plain=recipe.input != "files" and not recipe.attached,
        searches=shared.searches,
        geo=shared.geo,
    )


class RequestCount:
    """Adds up requests. With a frame, only the row's own text is measured; without one, each request is read.

    `shape` is that of the answers, for requests without a frame.
    """

    def __init__(self, frame: Frame | None, recipe: Recipe | None = None, shape: AnswerShape | None = None) -> None:
        self._frame = frame
        self._shape = shape
        self._expected: dict[tuple[str, int], int] = {}
        self._recipe = recipe
        self._read = _estimate(recipe)
        self._most_chars = SMALL_CHARS if frame is not None and frame.is_plain else 0
        self._requests = self._chars = self._wide = 0

    def add(self, requests: Sequence[bytes], owns: Sequence[str]) -> None:
        """Add requests; `owns` are the rows' own texts. Plain requests of a recipe are measured by these alone."""
        if max(map(len, owns), default=0) >= self._most_chars:
            for params, own in zip(requests, owns, strict=True):
                self._add_one(params, own)
        else:
            self._add_plain(owns)

    def _add_one(self, params: bytes, own: str) -> None:
        if len(own) >= self._most_chars:
            self._add_read(params)
        else:
            self._add_plain((own,))

    def _add_plain(self, owns: Sequence[str]) -> None:
        self._requests += len(owns)
        self._chars += sum(map(len, owns))
        self._wide += sum([wide_in(own) for own in owns if not own.isascii()])

    @property
    def estimate(self) -> Estimate:
        """Return the estimate of the requests so far."""
        total = _estimate(self._recipe)
        total.merge(self._read)
        if self._requests and self._frame is not None:
            self._add_sized(total, self._frame)
        return total

    def _add_read(self, params: bytes) -> None:
        size, frame = request_size(params), self._frame
        model, max_tokens = (frame.model, frame.max_tokens) if frame else (size.model, max(1, size.max_tokens))
        part = self._read.part(model, step_of(size.input_tokens), size.geo)
        part.requests += 1
        part.most_tokens = max(part.most_tokens, max_tokens)
        part.searches += size.searches
        part.searching += size.searches > 0
        part.input += size.input_tokens
        part.max_output += max_tokens
        part.expected_output += frame.expected if frame else self._expected_of(model, max_tokens)
        if size.may_be_cached:
            part.cacheable += size.input_tokens

    def _expected_of(self, model: str, max_tokens: int) -> int:
        if self._shape is None:
            return max(1, round(max_tokens * TEXT_SHARE))
        key = model, max_tokens
        if key not in self._expected:
            self._expected[key] = expected_tokens(self._shape, model=model, max_tokens=max_tokens)
        return self._expected[key]

    def _add_sized(self, total: Estimate, frame: Frame) -> None:
        many = self._requests
        words = TextSize(self._chars, self._wide).tokens + many * ROUNDED_UP
        tokens = many * frame.tokens + words * tokeniser(frame.model)
        part = total.part(frame.model, "below", frame.geo)
        part.requests += many
        part.most_tokens = max(part.most_tokens, frame.max_tokens)
        part.searches += many * frame.searches
        part.searching += many if frame.searches else 0
        part.input += tokens
        part.max_output += many * frame.max_tokens
        part.expected_output += many * frame.expected
        part.cacheable += tokens if frame.is_marked else 0.0


def most_paid(recipe: Recipe) -> tuple[int, int]:
    """Return how often a row may be paid for: its prompts, and its answers in units of `max_tokens`."""
    again, doubled = recipe.retry.invalid, recipe.retry.max_tokens is not None
    each = 2 if doubled else 1  # a cut answer is requested again with twice the limit
    return 1 + doubled + again, 1 + 2 * doubled + each * again


def _estimate(recipe: Recipe | None) -> Estimate:
    """Return an empty estimate that includes the recipe's `retry`."""
    if recipe is None:
        return Estimate()
    prompts, answers = most_paid(recipe)
    other = recipe.escalate.to if recipe.escalate else ""
    return Estimate(paid_prompts=prompts, paid_answers=answers, other=other, other_answers=most_escalated(recipe))


def most_escalated(recipe: Recipe) -> int:
    """Return the largest answer of the other model, in units of `max_tokens`; 0 if the recipe escalates nothing."""
    raised = 2 if recipe.retry.max_tokens is not None else 1
    return raised if recipe.escalate is not None else 0
