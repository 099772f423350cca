"""Write answers: plausible, short, and a pure function of the request."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import msgspec

from batchdrop.local.claude_api.alternatives import alternatives_in, choose
from batchdrop.local.claude_api.content import Block, sight_of, words_of
from batchdrop.local.claude_api.dice import Dice, digest_of
from batchdrop.local.claude_api.errors import invalid
from batchdrop.local.claude_api.packs import PackFaults, item_of, rows_in
from batchdrop.local.claude_api.params import Params
from batchdrop.local.claude_api.schema_answers import HIGH, LOW, WHOLE, instance_of
from batchdrop.local.claude_api.seeded_errors import seeded_answer

_OPENINGS = ("In short:", "Summary:", "The main point:", "Briefly:", "Overall,")
_CLOSINGS = (
    "It is clear and to the point.",
    "There is little to add.",
    "The tone is plain.",
    "A typical case.",
)
_JAPANESE_OPENINGS = ("要約:", "要点:", "つまり、", "まとめ:")
_QUOTED_WORDS = 14
_LONG_WORD = 40


class Prompt(msgspec.Struct, frozen=True):
    """The text of a request."""

    system: str
    conversation: str
    """The text of the whole conversation."""
    digest: bytes
    """Identifies the prompt: 16 bytes from the model, the text, the images and the documents."""

    def says(self, words: str) -> bool:
        """Return whether the prompt contains this text."""
        return words in self.conversation or words in self.system


def prompt_of(params: Params) -> Prompt:
    """Return the prompt of a request."""
    system = text_of(params.system)
    conversation = "\n".join(text_of(turn.content) for turn in params.messages)
    seen = [sight_of(block) for turn in params.messages if not isinstance(turn.content, str) for block in turn.content]
    return Prompt(system, conversation, digest_of(params.model, system, conversation, *filter(None, seen)))


def text_of(content: str | list[Block]) -> str:
    """Return the text of a content, its blocks joined by newlines."""
    if isinstance(content, str):
        return content
    return "\n".join(words_of(block) for block in content)


def answer_text(
    params: Params,
    prompt: Prompt,
    seed: int,
    faults: PackFaults,
    *,
    unsure: float | None = None,
    errs: float | None = None,
) -> str:
    """Return the whole answer, before it is cut to `max_tokens`.

    `faults` are those of packs. `unsure` is the share of answers with low numbers, `errs` that of wrong answers.
    """
    dice = Dice(digest=prompt.digest, salt=2 * seed)
    if params.output_config and params.output_config.format:
        item = item_of(schema_of(bytes(params.output_config.format.schema)))
        rows = rows_in(text_of(params.messages[-1].content)) if item and params.messages else []
        if item and rows:
            return _pack(rows, dice, faults, partial(_row, item, params.model, seed, unsure, errs))
        part = _part(prompt.digest, seed, unsure)
        schema = bytes(params.output_config.format.schema)
        if errs is not None:
            answer = partial(_structured, schema, part=part)
            return seeded_answer(answer, prompt.conversation, params.model, errs, seed)
        return _structured(schema, prompt.conversation, dice, part)
    alternatives = alternatives_in(prompt.system) or alternatives_in(prompt.conversation)
    if alternatives and errs is not None:
        return seeded_answer(partial(choose, alternatives), prompt.conversation, params.model, errs, seed)
    if alternatives:
        return choose(alternatives, prompt.conversation, dice)
    return _prose(prompt.conversation, dice)


@lru_cache(maxsize=256)
def schema_of(raw: bytes) -> dict[str, Any]:
    """Return a decoded schema; equal bytes give the same object, which must not be changed."""
    schema: dict[str, Any] = msgspec.json.decode(raw)
    return schema


def _part(digest: bytes, seed: int, unsure: float | None) -> tuple[float, float]:
    """Return the part of each number's range where an answer's numbers are, by dice of their own."""
    if unsure is None:
        return WHOLE
    return LOW if Dice("unsure", digest.hex(), salt=seed).fraction() < unsure else HIGH


def _structured(schema: bytes, conversation: str, dice: Dice, part: tuple[float, float]) -> str:
    """Return JSON text that is valid for the schema; raises ApiError (400) for a broken schema."""
    try:
        return msgspec.json.encode(instance_of(schema_of(schema), conversation, dice, part)).decode()
    except (TypeError, AttributeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        raise invalid(f"output_config.format.schema: Invalid JSON schema: {error}") from error


def _pack(
    rows: list[tuple[int, str]],
    dice: Dice,
    faults: PackFaults,
    answer: Callable[[str], dict[str, Any]],
) -> str:
    """Return the answer to a pack: each row's answer depends on its own text only."""
    answers = [{"row": number, **answer(text)} for number, text in rows]
    return msgspec.json.encode({"rows": faults.applied(answers, dict(rows), dice)}).decode()


def _row(
    item: dict[str, Any], model: str, seed: int, unsure: float | None, errs: float | None, text: str
) -> dict[str, Any]:
    """Return the object of a row of a pack."""
    digest = digest_of(text)
    part = _part(digest, seed, unsure)
    if errs is not None:
        return seeded_answer(partial(instance_of, item, part=part), text, model, errs, seed)
    found: dict[str, Any] = instance_of(item, text, Dice(digest=digest, salt=2 * seed), part)
    return found


def _prose(conversation: str, dice: Dice) -> str:
    words = conversation.split()
    start = dice.below(max(1, len(words) - _QUOTED_WORDS))
    quoted = " ".join(word[:_LONG_WORD] for word in words[start : start + _QUOTED_WORDS])
    if any("぀" <= letter <= "ヿ" for letter in quoted):
        return f"{dice.pick(_JAPANESE_OPENINGS)}{quoted}"
    return f"{dice.pick(_OPENINGS)} {quoted.rstrip('.,:;')}. {dice.pick(_CLOSINGS)}"
