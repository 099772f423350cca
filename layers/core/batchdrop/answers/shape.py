"""The shape of a recipe's answers: one text, or typed fields with one column each."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from batchdrop.answers.code_fence import fenced
from batchdrop.answers.columns import NewColumns
from batchdrop.answers.fields import answer_schema
from batchdrop.answers.forced_tool import ForcedTool, forced_tool
from batchdrop.answers.gold import GoldField, gold_fields
from batchdrop.answers.result import Message
from batchdrop.answers.schema_columns import AnswerInvalid, fitting, is_nullable, new_columns, properties_of
from batchdrop.answers.schema_faults import explain
from batchdrop.answers.schema_file import checked_schema
from batchdrop.answers.when_types import check_when
from batchdrop.recipe.recipe import Recipe
from batchdrop.recipe.words import fault

if TYPE_CHECKING:
    import jsonschema_rs

__all__ = ["TEXT_ANSWER", "AnswerInvalid", "AnswerShape", "answer_shape", "schema_file"]

COMPLETE_STOPS = frozenset({"end_turn", "stop_sequence"})  # with any other, the user should check a paid answer
_NOT_JSON = (msgspec.DecodeError, UnicodeEncodeError, RecursionError)


class AnswerShape:
    """How an answer is read.

    `schema` is sent to the API; it is None for text answers, whose one value is the text. `columns` are all new columns
    of the output. `checks` is a schema from the recipe's `params`: such answers stay text, and only `is_valid` uses it.
    `tool` is the tool that the recipe's `params` force: its input is the answer, with columns if it has a schema.
    `fields` are the schemas of the answer's fields, by name; empty for text answers. `gold` are the fields whose truth
    the file holds for some rows.
    """

    def __init__(
        self,
        columns: NewColumns | None = None,
        *,
        schema: dict[str, Any] | None = None,
        checks: dict[str, Any] | None = None,
        tool: ForcedTool | None = None,
    ) -> None:
        self.columns = columns or NewColumns()
        self.schema = schema
        self.typed_schema = schema or (tool.schema if tool else None)
        self._tool = tool
        self._checks = self.typed_schema or checks
        self.gold: tuple[GoldField, ...] = ()
        self.fields: dict[str, Any] = properties_of(self.typed_schema) if self.typed_schema else {}
        self._stops = COMPLETE_STOPS | {"tool_use"} if tool else COMPLETE_STOPS

    @property
    def is_typed(self) -> bool:
        """Return whether answers have typed columns."""
        return self.typed_schema is not None

    def is_complete(self, stop_reason: str) -> bool:
        """Return whether an answer with this stop_reason came to its end."""
        return stop_reason in self._stops

    def text_of(self, message: Message) -> str:
        """Return the text of an answer: its text blocks, or the input of the forced tool as JSON."""
        return message.text if self._tool is None else self._tool.input_of(message)

    def read(self, text: str) -> tuple[Any, ...]:
        """Return one value for each column of `columns.answer`; None for an empty optional field.

        Raises AnswerInvalid.
        """
        if not self.is_typed:
            return (text,)
        value = self._valid(text)
        if not isinstance(value, dict):  # a tool's own schema may allow it
            reason = "the answer must be an object"
            raise AnswerInvalid(reason)
        columns = zip(self.fields, self.columns.answer, strict=True)
        return tuple(fitting(value.get(field), column, field) for field, column in columns)

    def is_valid(self, text: str) -> bool:
        """Return whether the text fits the schema of `answer`, or of `params`; True if there is none."""
        if self._checks is None:
            return True
        try:
            if self.is_typed:
                self.read(text)
            else:
                self._valid(text)
        except AnswerInvalid:
            return False
        return True

    def takes_all(self, values: Collection[dict[str, Any]]) -> bool:
        """Return whether all these typed answers fit the schema and the columns."""
        if not all(map(self._validator.is_valid, values)):
            return False
        integers = [each for each in zip(self.fields, self.columns.answer, strict=True) if each[1].kind == "integer"]
        try:
            for field, column in integers:
                for value in values:
                    fitting(value.get(field), column, field)
        except AnswerInvalid:
            return False
        return True

    def written(self, answer: dict[str, Any]) -> str:
        """Return an example's answer as the model should write it: compact, in the schema's order."""
        filled = {
            field: answer.get(field) for field, schema in self.fields.items() if field in answer or is_nullable(schema)
        }
        return msgspec.json.encode({**filled, **answer}).decode()

    def _valid(self, text: str) -> Any:
        try:
            value = _json(text)
        except _NOT_JSON as error:
            reason = "it is not JSON" + (f" ({error})" if isinstance(error, msgspec.DecodeError) else "")
            raise AnswerInvalid(reason) from None
        if not self._validator.is_valid(value):
            raise AnswerInvalid(explain(next(self._validator.iter_errors(value))))
        return value

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        import jsonschema_rs

        return jsonschema_rs.Draft202012Validator(
            self._checks or {}, offline=True
        )  # a schema must not cause network calls


def _json(text: str) -> Any:
    """Return the value of a text, or of the code fence in it."""
    try:
        return msgspec.json.decode(text)
    except _NOT_JSON:
        inner = fenced(text)
        if inner is None:
            raise
        return msgspec.json.decode(inner)


TEXT_ANSWER = AnswerShape()


def schema_file(recipe: Recipe) -> str | None:
    """Return the schema's file as the recipe names it: `answer: {schema: review.json}`. None if it names none."""
    answer = recipe.answer or {}
    file = answer.get("schema")
    return file if len(answer) == 1 and isinstance(file, str) and file.endswith(".json") else None


def answer_shape(recipe: Recipe, schema: object | None = None, *, name: str) -> AnswerShape:
    """Return the shape of the recipe's answers; `name` is the recipe's file, for messages.

    `schema` is the parsed content of `schema_file(recipe)`, if that is not None. Raises RecipeRejected.
    """
    passed_on = _passed_on(recipe)
    file = schema_file(recipe)
    tool = forced_tool(recipe.params, name=name)
    if tool is not None:
        shape = _tool_shape(recipe, tool, name)
    elif recipe.answer is None:
        shape = AnswerShape(new_columns(recipe, None), checks=passed_on)
    elif _format_passed_on(recipe) is not None:
        reason = "'params.output_config.format' also sets the form of the answer; use one of them, not both"
        raise fault(name, "answer", reason)
    else:
        typed = (
            answer_schema(recipe.answer, name=name) if file is None else checked_schema(schema, name=name, file=file)
        )
        shape = AnswerShape(new_columns(recipe, typed), schema=typed)
    _check(shape, recipe, name, is_passed_on=passed_on is not None)
    if recipe.escalate is not None:
        check_when(recipe.escalate.when, shape.typed_schema, name=name)
    shape.gold = gold_fields(recipe.gold, shape.typed_schema, shape.columns, name=name)
    return shape


def _tool_shape(recipe: Recipe, tool: ForcedTool, name: str) -> AnswerShape:
    for key, is_set in (("answer", recipe.answer), ("params.output_config.format", _format_passed_on(recipe))):
        if is_set is not None:
            reason = "'params.tool_choice' forces a tool, and its input is the answer; remove this key, or tool_choice"
            raise fault(name, key, reason)
    shape = AnswerShape(new_columns(recipe, tool.schema), tool=tool)
    if shape.is_typed:
        _check_schema(shape, name, "params.tools")
    return shape


def _check(shape: AnswerShape, recipe: Recipe, name: str, *, is_passed_on: bool) -> None:
    if shape.is_typed and recipe.output.column is not None:
        reason = "it names the column of a text answer, but a typed answer has a column for each field"
        raise fault(name, "output.column", f"{reason}; remove it")
    names = shape.columns.names
    doubled = next((each for each in names if names.count(each) > 1), None)
    if doubled is not None:
        raise fault(
            name, "answer" if shape.is_typed else "output.column", f"two new columns are called '{doubled}'; rename one"
        )
    if not recipe.retry.invalid:
        return
    if not shape.is_typed and not is_passed_on:
        reason = "the recipe has no 'answer', so no answer can be invalid; add 'answer', or remove this key"
        raise fault(name, "retry.invalid", reason)
    if is_passed_on:
        _check_schema(shape, name, "params.output_config.format.schema")


def _check_schema(shape: AnswerShape, name: str, key: str) -> None:
    """Raise RecipeRejected if the schema cannot be used, before any answer is paid."""
    import jsonschema_rs

    try:
        shape.is_valid("null")
    except jsonschema_rs.ValidationError as error:
        reason = f"answers cannot be checked against this JSON schema: {error.message}"
        raise fault(name, key, reason) from error


def _format_passed_on(recipe: Recipe) -> Any:
    config = recipe.params.get("output_config")
    return config.get("format") if isinstance(config, dict) else None


def _passed_on(recipe: Recipe) -> dict[str, Any] | None:
    form = _format_passed_on(recipe)
    schema = form.get("schema") if isinstance(form, dict) else None
    return schema if isinstance(schema, dict) else None
