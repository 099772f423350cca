"""Build the messages of a request: the examples, then the recipe's own messages, filled with the row."""

from __future__ import annotations

from typing import Any

from batchdrop.answers.shape import AnswerInvalid, AnswerShape
from batchdrop.errors import RecipeRejected, RowRejected
from batchdrop.recipe.recipe import Example, Recipe
from batchdrop.recipe.words import kind, nearest
from batchdrop.requests.prompt import Prompt

Message = dict[str, Any]  # in the API's format: {"role", "content"}


class Conversation:
    """A recipe's messages: `shared` by all rows, then the row's `own` templates.

    `front` is the text that a group's rows share: it stands before the row's question, in a block of its own.
    `columns` are all that the messages read; none if that depends on the row. The last of `own` is the row's question
    and has role user. Raises RecipeRejected for broken templates and examples.
    """

    def __init__(self, recipe: Recipe, shape: AnswerShape, *, name: str) -> None:
        self._name = name
        turns = [(turn.role, Prompt(turn.content, name=name, key=key)) for key, turn in _keyed(recipe)]
        self._turns = turns
        grouped = recipe.grouped
        self.front = None if grouped is None else Prompt(grouped.shared, name=name, key="pack.shared")
        self.shared: list[Message] = []
        for number, example in enumerate(recipe.examples, 1):
            self.shared += self._example(example, number, shape)
        self.own = list(turns)
        while len(self.own) > 1 and self.own[0][1].is_constant:
            role, prompt = self.own.pop(0)
            self.shared.append({"role": role, "content": _constant(prompt, name)})
        prompts = [prompt for _, prompt in turns]
        columns = frozenset[str]().union(*(prompt.named for prompt in prompts))
        self.columns = frozenset() if any(prompt.reads_whole_row for prompt in prompts) else columns
        self._attached = [attach.column for attach in recipe.attached]
        self._by = "" if grouped is None else grouped.by

    @property
    def prompts(self) -> list[Prompt]:
        """Return all templates of the messages."""
        return [*(prompt for _, prompt in self._turns), *filter(None, [self.front])]

    def check_columns(self, columns: list[str], *, filename: str, advice: str = "") -> None:
        """Raise RecipeRejected if a message or `attach` names a column that is not in the file's header."""
        for prompt in self.prompts:
            prompt.check_columns(columns, filename=filename, advice=advice)
        if self._by and self._by not in columns:
            message = (
                f"{self._name}: key 'pack.by': {filename} has no column '{self._by}'{nearest(self._by, columns)} "
                f"(columns: {', '.join(columns)}). Fix the recipe or the header."
            )
            raise RecipeRejected(message)
        for column in self._attached:
            if column not in columns:
                message = (
                    f"{self._name}: key 'attach.column': column '{column}' is missing in {filename} "
                    f"(columns: {', '.join(columns)}). Fix the recipe or the header."
                )
                raise RecipeRejected(message)

    def _example(self, example: Example, number: int, shape: AnswerShape) -> list[Message]:
        where = f"{self._name}: example {number}"
        try:
            turns: list[Message] = [
                {"role": role, "content": prompt.render(example.row)} for role, prompt in self._turns
            ]
            if self.front is not None:
                turns[-1]["content"] = text_blocks(self.front.render(example.row), turns[-1]["content"])
        except RowRejected as rejected:
            message = f"{where}: its row does not fit the prompt: {rejected}"
            raise RecipeRejected(message) from rejected
        return [*turns, {"role": "assistant", "content": _answer(example.answer, shape, where)}]


def text_blocks(*texts: str) -> list[dict[str, str]]:
    """Return texts as content blocks."""
    return [{"type": "text", "text": text} for text in texts]


def is_same_for_all_rows(recipe: Recipe) -> bool:
    """Return whether each row would get the same request: no template uses the row, and no file is attached."""
    prompts = [Prompt(turn.content, name="", key=key) for key, turn in _keyed(recipe)]
    uses_row = recipe.attached or recipe.input == "files" or recipe.per_row
    return all(prompt.is_constant for prompt in prompts) and not uses_row


def columns_used(recipe: Recipe) -> frozenset[str]:
    """Return the columns that a recipe names; none if its templates are broken, which `Conversation` says better."""
    try:
        prompts = [Prompt(turn.content, name="", key=key) for key, turn in _keyed(recipe)]
        prompts += [Prompt(text, name="", key=key) for key, text in recipe.per_row.items()]
        prompts += [Prompt(recipe.grouped.shared, name="", key="pack.shared")] if recipe.grouped else []
    except RecipeRejected:
        return frozenset()
    named = frozenset[str]().union(*(prompt.named for prompt in prompts))
    named = named.union([recipe.grouped.by] if recipe.grouped else ())
    return named.union(attach.column for attach in recipe.attached)


def _keyed(recipe: Recipe) -> list[tuple[str, Any]]:
    if recipe.messages is None:
        return [("prompt", recipe.turns[0])]
    return [(f"messages[{place}].content", turn) for place, turn in enumerate(recipe.messages)]


def _constant(prompt: Prompt, name: str) -> str:
    try:
        return prompt.render({})
    except RowRejected as rejected:
        message = f"{name}: key '{prompt.key}': {rejected}"
        raise RecipeRejected(message) from rejected


def _answer(answer: object, shape: AnswerShape, where: str) -> str:
    text = shape.written(answer) if isinstance(answer, dict) else answer
    if not isinstance(text, str) or not text.strip():
        wanted = "a mapping of the answer's fields" if shape.is_typed else "text; put it in quotes"
        message = f"{where}: its answer is {'blank' if isinstance(text, str) else kind(text)}; write {wanted}"
        raise RecipeRejected(message)
    try:
        shape.read(text)
    except AnswerInvalid as invalid:
        message = f"{where}: its answer breaks the recipe's 'answer': {invalid}"
        raise RecipeRejected(message) from invalid
    return text
