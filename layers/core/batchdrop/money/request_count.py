"""Reckons requests as they are split: what a recipe's requests share is read once, a row is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from batchdrop.answers.shape import AnswerShape
from batchdrop.money.answer_tokens import TEXT_SHARE, expected_tokens
from batchdrop.money.estimate import INPUT_BAND, Estimate, step_of
from batchdrop.money.prompt_tokens import ROUNDED_UP, TURN_TOKENS, TextSize, request_size, tokeniser, wide_in
from batchdrop.recipe.recipe import Recipe

LEAST_CACHED = 1_024  # tokens: a shorter prefix is not put into the prompt cache
SMALL_CHARS = 50_000  # no text of so few characters is near the price step of long prompts, whatever its script


@dataclass(frozen=True, slots=True)
class Frame:
    """What all requests of a recipe share: a request whose own words are empty, measured.

    `tokens` is what it counts, `cached` how much of each prompt may come from the cache, `expected` what an answer is
    expected to have. `is_plain`: a request has nothing but text beside it.
    """

    model: str
    max_tokens: int
    tokens: float
    cached: Literal["nothing", "shared", "all"]
    expected: int
    is_plain: bool


def frame_of(recipe: Recipe, shape: AnswerShape, empty: bytes) -> Frame:
    """Measure a recipe's frame; `empty` is the `params` of a row without words."""
    shared = request_size(empty)
    return Frame(
        recipe.model,
        recipe.max_tokens,
        tokens=shared.input_tokens,
        cached=_cached(recipe, shared.input_tokens, is_marked=shared.may_be_cached),
        expected=expected_tokens(shape, model=recipe.model, max_tokens=recipe.max_tokens),
        is_plain=recipe.input != "files" and not recipe.attached,
    )


def _cached(recipe: Recipe, shared: float, *, is_marked: bool) -> Literal["nothing", "shared", "all"]:
    if not is_marked:
        return "nothing"
    if not recipe.caches:
        return "all"  # the recipe's own `params` say what is cached
    return "shared" if shared * (1 + INPUT_BAND) >= LEAST_CACHED else "nothing"


class RequestCount:
    """Counts requests one by one, most of them by their own words alone. `frame` None: each is read."""

    def __init__(self, frame: Frame | None, recipe: Recipe | None = None) -> None:
        self._frame = frame
        self._recipe = recipe
        self._read = _estimate(recipe)
        self._most_chars = SMALL_CHARS if frame is not None and frame.is_plain else 0
        self._requests = self._chars = self._wide = 0

    def add(self, asked: Sequence[bytes], owns: Sequence[str]) -> None:
        """Count requests; `owns` are what their rows said of their own, by which a recipe's plain ones are known."""
        if max(map(len, owns), default=0) >= self._most_chars:
            for params, own in zip(asked, owns, strict=True):
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
        """Return what was counted so far."""
        total = _estimate(self._recipe)
        total.merge(self._read)
        if self._requests and self._frame is not None:
            self._add_sized(total, self._frame)
        return total

    def _add_read(self, params: bytes) -> None:
        size, frame = request_size(params), self._frame
        model, max_tokens = (frame.model, frame.max_tokens) if frame else (size.model, max(1, size.max_tokens))
        part = self._read.part(model, step_of(size.input_tokens))
        part.requests += 1
        part.input += size.input_tokens
        part.max_output += max_tokens
        part.expected_output += frame.expected if frame else max(1, round(max_tokens * TEXT_SHARE))
        if frame is not None and frame.cached == "shared":
            part.cacheable += frame.tokens
            part.reread += frame.tokens
        elif size.may_be_cached and (frame is None or frame.cached == "all"):
            part.cacheable += size.input_tokens

    def _add_sized(self, total: Estimate, frame: Frame) -> None:
        many = self._requests
        words = TextSize(self._chars, self._wide).tokens + many * ROUNDED_UP
        tokens = many * frame.tokens + words * tokeniser(frame.model)
        part = total.part(frame.model, "below")
        part.requests += many
        part.input += tokens
        part.max_output += many * frame.max_tokens
        part.expected_output += many * frame.expected
        shared = many * max(0.0, frame.tokens - TURN_TOKENS)
        part.cacheable += {"nothing": 0.0, "shared": shared, "all": tokens}[frame.cached]
        part.reread += shared if frame.cached == "shared" else 0.0


def most_asks(recipe: Recipe) -> tuple[int, int]:
    """Return how often the recipe lets a row be paid for: prompts, and answers of its `max_tokens`."""
    again, doubled = recipe.retry.invalid, recipe.retry.max_tokens is not None
    each = 2 if doubled else 1  # an answer that was cut is asked again with twice the room
    return 1 + doubled + again, 1 + 2 * doubled + each * again


def _estimate(recipe: Recipe | None) -> Estimate:
    """Return an empty estimate, with how often the recipe lets a row be paid for."""
    if recipe is None:
        return Estimate()
    prompts, answers = most_asks(recipe)
    return Estimate(input_asks=prompts, output_asks=answers)
