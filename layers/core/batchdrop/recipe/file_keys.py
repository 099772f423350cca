"""The keys of a recipe that say how a file is read and written: `input` and `output`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

FormatName = Literal["csv", "tsv", "jsonl", "json", "parquet", "arrow", "xlsx", "txt"]
Compression = Literal["none", "gz", "zst", "bz2"]
Added = Literal[
    "thinking", "citations", "tool_use", "usage", "cost", "stop_reason", "model", "request_id", "custom_id",
    "answered_at", "answered_by",
]  # fmt: skip


class Keys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the recipe's mappings: unknown keys are errors."""


class Input(Keys, frozen=True, kw_only=True):
    """How to read the upload. Only needed where the file's name and first bytes do not tell."""

    format: Annotated[
        FormatName | None, Meta(description="The file's format, if its name does not end in it.", examples=["csv"])
    ] = None
    encoding: Annotated[
        str | None,
        Meta(description="The text's encoding, if it is not UTF-8 and detection fails.", examples=["cp1252", "utf-16"]),
    ] = None
    delimiter: Annotated[
        str | None,
        Meta(description="The character between two cells of a CSV line; 'tab' for a tab.", examples=[";", "tab"]),
    ] = None
    sheet: Annotated[
        str | None, Meta(description="The sheet of a workbook; by default the first one.", examples=["Reviews"])
    ] = None
    skip: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="The lines, or a sheet's rows, before the header, if they are not found.", examples=[3]),
    ] = None
    header: Annotated[
        bool | list[str] | None,
        Meta(description="'false': the file has no header; a list: it has none, and these are the columns."),
    ] = None
    escape: Annotated[
        str | None,
        Meta(description="The character before quotes that belong to a cell's text.", examples=["\\"]),
    ] = None
    ragged: Annotated[
        Literal["fill", "reject"],
        Meta(description="Rows with too few cells: 'fill' takes the missing ones for empty."),
    ] = "reject"
    path: Annotated[
        str | None,
        Meta(
            description="Where the array of rows is in a JSON file, if it is not the only one.", examples=["data.items"]
        ),
    ] = None


class Output(Keys, frozen=True, kw_only=True):
    """How to write the output. Keys that are not set follow the input."""

    format: Annotated[FormatName | None, Meta(description="The output's format.", examples=["parquet"])] = None
    compression: Annotated[Compression | None, Meta(description="The output's compression.", examples=["gz"])] = None
    encoding: Annotated[
        str | None,
        Meta(
            description="The output's encoding; Excel needs utf-8-sig to recognize UTF-8 in a CSV.",
            examples=["utf-8-sig"],
        ),
    ] = None
    column: Annotated[
        str | None,
        Meta(description="The column for a text answer; 'answer' by default.", examples=["label"]),
    ] = None
    prefix: Annotated[str, Meta(description="A prefix for the name of every new column.", examples=["claude_"])] = ""
    add: Annotated[
        list[Added],
        Meta(description="More columns about each answer, such as '_thinking' or '_cost'.", examples=[["cost"]]),
    ] = []
    escape_formulas: Annotated[
        bool,
        Meta(description="Whether to escape answers that a spreadsheet would run as a formula."),
    ] = True
