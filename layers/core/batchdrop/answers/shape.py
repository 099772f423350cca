"""The shape of a recipe's answers: one text, or typed fields with one column each."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from batchdrop.answers.columns import Column, ColumnKind, NewColumns
from batchdrop.answers.fields import answer_schema
from batchdrop.answers.schema_faults import explain
from batchdrop.answers.schema_file import checked_schema, resolved
from batchdrop.recipe.recipe import Recipe
from batchdrop.recipe.words import fault

if TYPE_CHECKING:
    import jsonschema_rs

_INT64 = range(-(2**63), 2**63)  # what an integer column of Parquet holds


class AnswerInvalid(Exception):  # concerns one row only; caught where outcomes are made
    """A complete answer that breaks the recipe's `answer`. The message names field and rule; it quotes no answer."""


class AnswerShape:
    """How the text of an answer is read.

    `schema` is sent to the API; it is None for text answers, whose one value is the text. `columns` are all new columns
    of the output. `checks` is a schema from the recipe's `params`: such answers stay text, and only `is_valid` uses it.
    """

    def __init__(
        self,
        columns: NewColumns | None = None,
        *,
        schema: dict[str, Any] | None = None,
        checks: dict[str, Any] | None = None,
    ) -> None:
        self.columns = columns or NewColumns()
        self.schema = schema
        self._checks = schema or checks
        self._fields = _properties(schema) if schema else {}

    @property
    def is_typed(self) -> bool:
        """Return whether answers have typed columns."""
        return self.schema is not None

    def read(self, text: str) -> tuple[Any, ...]:
        """Return one value for each column of `columns.answer`; None for an empty optional field.

        Raises AnswerInvalid.
        """
        if self.schema is None:
            return (text,)
        value = self._valid(text)
        columns = zip(self._fields, self.columns.answer, strict=True)
        return tuple(_fitting(value.get(field), column, field) for field, column in columns)

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

    def written(self, answer: dict[str, Any]) -> str:
        """Return an example's answer as the model should write it: compact, in the schema's order."""
        filled = {
            field: answer.get(field)
            for field, schema in self._fields.items()
            if field in answer or _is_nullable(schema)
        }
        return msgspec.json.encode({**filled, **answer}).decode()

    def _valid(self, text: str) -> Any:
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
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
    if recipe.answer is None:
        shape = AnswerShape(_columns(recipe, None), checks=passed_on)
    elif _format_passed_on(recipe) is not None:
        reason = "'params.output_config.format' also sets the form of the answer; use one of them, not both"
        raise fault(name, "answer", reason)
    else:
        typed = (
            answer_schema(recipe.answer, name=name) if file is None else checked_schema(schema, name=name, file=file)
        )
        shape = AnswerShape(_columns(recipe, typed), schema=typed)
    _check(shape, recipe, name, is_passed_on=passed_on is not None)
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
        _check_passed_on(shape, name)


def _check_passed_on(shape: AnswerShape, name: str) -> None:
    """Raise RecipeRejected if the schema cannot be used, before any answer is paid."""
    import jsonschema_rs

    try:
        shape.is_valid("null")
    except jsonschema_rs.ValidationError as error:
        reason = f"answers cannot be checked against this JSON schema: {error.message}"
        raise fault(name, "params.output_config.format.schema", reason) from error


def _format_passed_on(recipe: Recipe) -> Any:
    config = recipe.params.get("output_config")
    return config.get("format") if isinstance(config, dict) else None


def _passed_on(recipe: Recipe) -> dict[str, Any] | None:
    form = _format_passed_on(recipe)
    schema = form.get("schema") if isinstance(form, dict) else None
    return schema if isinstance(schema, dict) else None


def _columns(recipe: Recipe, schema: dict[str, Any] | None) -> NewColumns:
    prefix = recipe.output.prefix
    if schema is None:
        answer: tuple[Column, ...] = (Column(prefix + (recipe.output.column or "answer")),)
    else:
        fields = _properties(schema).items()
        answer = tuple(Column(prefix + field, _kind(inner, schema)) for field, inner in fields)
    raw = None if schema is None else f"{prefix}_raw"
    return NewColumns(answer, status=f"{prefix}_status", error=f"{prefix}_error", raw=raw)


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = resolved(schema, schema)["properties"]
    return properties


def _kind(schema: dict[str, Any], root: dict[str, Any]) -> ColumnKind:
    """Return the column's kind: the scalar's own if there is only one besides null, else `json`."""
    kinds = _kinds(schema, root) - {"null"}
    if kinds == {"integer", "number"}:
        return "number"
    for scalar in ("string", "number", "integer", "boolean"):
        if kinds == {scalar}:
            return scalar
    return "json"


def _kinds(schema: dict[str, Any], root: dict[str, Any]) -> set[str]:
    schema = resolved(schema, root)
    if "enum" in schema or "const" in schema:
        return {_kind_of_value(value) for value in schema.get("enum", [schema.get("const")])}
    if "type" in schema:
        return {schema["type"]} if isinstance(schema["type"], str) else set(schema["type"])
    options = schema.get("anyOf", [])
    return set().union(*(_kinds(option, root) for option in options)) if options else {"any"}


def _kind_of_value(value: object) -> str:
    names = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    return names.get(type(value), "any")


def _is_nullable(schema: dict[str, Any]) -> bool:
    return {"type": "null"} in schema.get("anyOf", [])


def _fitting(value: Any, column: Column, field: str) -> Any:
    """Return an integer as int, because JSON Schema accepts 1.0. Raises AnswerInvalid if no column can hold it."""
    if column.kind != "integer" or value is None:
        return value
    if int(value) not in _INT64:
        reason = f"'{field}' is an integer of more than 64 bits"
        raise AnswerInvalid(reason)
    return int(value)
