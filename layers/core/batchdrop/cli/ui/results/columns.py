"""The columns of a job's results: their kinds, and where the table on this machine keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from batchdrop.answers.columns import Column, ColumnKind
from batchdrop.answers.gold import gold_fields
from batchdrop.answers.shape import AnswerShape
from batchdrop.errors import RecipeRejected
from batchdrop.job.job_files import shape_of
from batchdrop.job.manifest import Manifest

Kind = Literal["status", "label", "number", "text"]


class ResultColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column. `place` counts from 0; SQL knows the column as `c<place>`, and its numbers as `n<place>`.

    `is_new`: batchdrop added it. `labels` are the values that the recipe allows, if it names them. `field` is the
    answer's field whose truth can be written down; empty if there is none.
    """

    place: int
    name: str
    kind: Kind = "text"
    is_new: bool = False
    labels: list[str] = []
    field: str = ""

    @property
    def text(self) -> str:
        """Return the column with the cells as text, in SQL."""
        return f"c{self.place}"

    @property
    def sorted_by(self) -> str:
        """Return what orders the rows, in SQL: NULL where a cell is empty."""
        return f"n{self.place}" if self.kind == "number" else f"nullif({self.text}, '')"


class Headings(msgspec.Struct, frozen=True):
    """The columns of a job's output before it is read. `has_header`: the output itself names them."""

    new: list[ResultColumn]
    own: list[str]
    has_header: bool

    def columns(self, names: Sequence[str]) -> list[ResultColumn]:
        """Return the columns of an output that names these. The new ones are its last of their names."""
        if not self.has_header:
            names = [*self.own, *(column.name for column in self.new)]
        wanted = {column.name: column for column in self.new}
        found = [
            msgspec.structs.replace(wanted.pop(name), place=place)
            if name in wanted
            else ResultColumn(place=place, name=name or f"column_{place + 1}")
            for place, name in reversed([*enumerate(names)])
        ]
        return found[::-1]


def headings_of(manifest: Manifest) -> Headings:
    """Return the columns that a job's output has. Raises RecipeRejected if the recipe's `answer` is not valid."""
    shape = shape_of(manifest)
    fields = dict(zip((column.name for column in shape.columns.answer), _fields(manifest, shape), strict=False))
    new = [_new(column, shape, fields.get(column.name)) for column in shape.columns.all]
    recipe = manifest.recipe
    is_headless = recipe is not None and recipe.input != "files" and recipe.input.header is False
    return Headings(new, [column.name for column in manifest.columns], not is_headless)


def _fields(manifest: Manifest, shape: AnswerShape) -> list[dict[str, Any]]:
    """Return what `gold` would know of each answer column; an empty mapping for lists and objects."""
    names = list(shape.fields) or [column.name for column in shape.columns.answer]
    found: list[dict[str, Any]] = []
    for name in names:
        try:
            [one] = gold_fields({name: name}, shape.typed_schema, shape.columns, name=manifest.upload.key)
        except RecipeRejected:
            found.append({})
        else:
            found.append({"field": name, "kind": one.kind, "labels": list(one.values)})
    return found


def _new(column: Column, shape: AnswerShape, known: dict[str, Any] | None) -> ResultColumn:
    kinds: dict[ColumnKind, Kind] = {"number": "number", "integer": "number", "boolean": "label"}
    kind: Kind = "status" if column.name == shape.columns.status else kinds.get(column.kind, "text")
    return ResultColumn(**{"place": 0, "name": column.name, "kind": kind, "is_new": True, **(known or {})})
