"""Choose the format of a file and of its output."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, cast

from batchdrop.adapters.formats.around_input import innermost
from batchdrop.adapters.formats.arrow.input import ArrowInput
from batchdrop.adapters.formats.arrow.output import EXTENSIONS, ArrowOutput
from batchdrop.adapters.formats.compression.compressed import (
    CompressedInput,
    CompressedOutput,
    CompressedWhole,
)
from batchdrop.adapters.formats.compression.decoders import Kind
from batchdrop.adapters.formats.csv.dialect import TAB, Dialect, delimiter_named
from batchdrop.adapters.formats.csv.input import CsvInput
from batchdrop.adapters.formats.csv.options import CsvOptions
from batchdrop.adapters.formats.csv.output import CsvOutput
from batchdrop.adapters.formats.files.files_input import FilesInput
from batchdrop.adapters.formats.files.stamps import FILE
from batchdrop.adapters.formats.files.zip_tables import ZipReaders, ZipTables
from batchdrop.adapters.formats.found import FOUND_IN, FoundInput
from batchdrop.adapters.formats.json.json_input import JsonInput
from batchdrop.adapters.formats.json.jsonl_input import JsonlInput
from batchdrop.adapters.formats.json.jsonl_output import FailedOutput, JsonlOutput, JsonOutput, PerhapsPaidOutput
from batchdrop.adapters.formats.names import format_named, key_in_archive
from batchdrop.adapters.formats.parquet.input import ParquetInput
from batchdrop.adapters.formats.parquet.output import ParquetOutput
from batchdrop.adapters.formats.text.encodings import Encoding, encoding_named
from batchdrop.adapters.formats.text.text_input import TextInput
from batchdrop.adapters.formats.text.text_output import Assembled, Framed, encoding_of
from batchdrop.adapters.formats.xlsx.header import SheetOptions
from batchdrop.adapters.formats.xlsx.input import XlsxInput
from batchdrop.adapters.formats.xlsx.output import XlsxOutput
from batchdrop.answers.columns import Column, NewColumns
from batchdrop.errors import UploadRejected
from batchdrop.job.ports import InputFormat, OutputFormat
from batchdrop.job.upload import InboxKey
from batchdrop.recipe.recipe import FormatName, Input, Output

TABLE_FORMATS = {"parquet", "arrow", "xlsx"}  # outputs that are more than their parts, one after the other


class FileFormats:
    """Chooses formats by the upload's name and the recipe."""

    def reader(
        self,
        key: InboxKey,
        options: Input | Literal["files"],
        new: NewColumns,
        header: str = "",
        wanted: Collection[str] = (),
    ) -> InputFormat:
        """Return the upload's reader. Raises UploadRejected for a file that cannot be read."""
        if options == "files":
            return FilesInput(key.filename)
        if key.extension == "zip" and options.format is None:
            return ZipTables(key.filename, _readers_in_zip(key, options, new, wanted), header)
        inner = _reader(_Wish(key, options, new, frozenset(wanted)), header)
        return CompressedInput(inner, cast("Kind", key.compression)) if key.compression else inner

    def writer(
        self, reader: InputFormat, key: InboxKey, options: Output, new: NewColumns, columns: list[Column]
    ) -> OutputFormat:
        """Return the output's writer. `columns` are the input's own, from the part of the file that was read."""
        inner = innermost(reader)
        encoding = encoding_named(options.encoding, key="output.encoding") if options.encoding else encoding_of(inner)
        own_kind = "" if reader.name == "files" else key.compression
        kind = options.compression or own_kind or "none"
        if (options.format or inner.name) in TABLE_FORMATS:
            table = _table_writer(inner, key, options, new, columns)
            return table if kind == "none" else CompressedWhole(table, cast("Kind", kind))
        text = _text_writer(inner, key, options, new, columns, encoding)
        return text if kind == "none" else CompressedOutput(text, cast("Kind", kind))

    def failed(self, reader: InputFormat, new: NewColumns) -> OutputFormat:
        """Return the writer of `failed.jsonl`: never compressed, always UTF-8."""
        return FailedOutput(innermost(reader), new)

    def perhaps_paid(self, reader: InputFormat, new: NewColumns) -> OutputFormat:
        """Return the writer of `perhaps-paid.jsonl`, in the same form."""
        return PerhapsPaidOutput(reader.inner if isinstance(reader, CompressedInput) else reader, new)


@dataclass(frozen=True, slots=True)
class _Wish:
    """An upload before it is read: its name, and the recipe."""

    key: InboxKey
    options: Input
    new: NewColumns
    wanted: frozenset[str]

    def reader(self, name: FormatName, header: str) -> InputFormat:
        """Return the reader of a format."""
        filename, options, encoding = self.key.filename, self.options, self.options.encoding
        match name:
            case "parquet" | "arrow":
                return (ParquetInput if name == "parquet" else ArrowInput)(filename, header)
            case "xlsx":
                return XlsxInput(filename, header, options=self._sheet())
            case "csv" | "tsv":
                return CsvInput(filename, header, name=name, options=self._csv(name))
            case "jsonl":
                return JsonlInput(filename, self.new.names, header, encoding=encoding)
            case "json":
                return JsonInput(filename, self.new.names, header, encoding=encoding, path=options.path)
            case "txt":
                return TextInput(filename, header, encoding=encoding)

    @property
    def _header(self) -> Literal[False] | tuple[str, ...] | None:
        header = self.options.header
        return tuple(header) if isinstance(header, list) else False if header is False else None

    def _sheet(self) -> SheetOptions:
        return SheetOptions(self.options.sheet, self.options.skip, self._header, self.wanted)

    def _csv(self, name: FormatName) -> CsvOptions:
        options, delimiter = self.options, None if name == "csv" else TAB
        if options.delimiter:
            delimiter = delimiter_named(options.delimiter)
        return CsvOptions(
            delimiter,
            options.encoding,
            options.skip,
            self._header,
            options.escape or "",
            options.ragged,
            self.wanted,
        )


def _readers_in_zip(key: InboxKey, options: Input, new: NewColumns, wanted: Collection[str]) -> ZipReaders:
    """Return the makers of readers in an archive: of a file, which is known by its own name, and of all rows."""
    whole = Input(encoding=options.encoding, escape=options.escape, ragged=options.ragged)

    def member(name: str, header: str) -> InputFormat:
        return _reader(_Wish(key_in_archive(name, key), options, new, frozenset(wanted).difference({FILE})), header)

    def all_rows(name: FormatName, header: str) -> InputFormat:
        return _Wish(key, whole, new, frozenset()).reader(name, header)

    return ZipReaders(member, all_rows)


def _reader(wish: _Wish, header: str) -> InputFormat:
    if wish.options.encoding:
        encoding_named(wish.options.encoding)
    name = wish.options.format or format_named(wish.key)
    if wish.options.format is None and name in FOUND_IN:
        return FoundInput(
            name,
            wish.reader,
            header,
            filename=wish.key.filename,
            encoding=wish.options.encoding,
            wanted=wish.wanted,
        )
    return wish.reader(name, header)


def _table_writer(
    reader: InputFormat, key: InboxKey, options: Output, new: NewColumns, columns: list[Column]
) -> Assembled:
    name = options.format or reader.name
    # A header of the same format carries more than columns: a schema, a sheet's name, a date system.
    others: dict[str, Any] = {"columns": columns, "cells": reader.cells}
    own = {"header": reader.header} if reader.name == name else others
    if name == "parquet":
        return ParquetOutput(new, filename=key.filename, **own)
    if name == "arrow":
        own_extension = key.extension if key.extension in EXTENSIONS else "arrow"
        return ArrowOutput(new, filename=key.filename, extension=own_extension, **own)
    return XlsxOutput(
        new,
        filename=key.filename,
        escape_formulas=options.escape_formulas,
        macros=key.extension == "xlsm" and "header" in own,
        changes_upload=not key.compression and key.extension != "zip",
        **own,
    )


def _text_writer(
    reader: InputFormat, key: InboxKey, options: Output, new: NewColumns, columns: list[Column], encoding: Encoding
) -> Framed:
    match options.format or reader.name:
        case "csv" | "tsv" | "txt" | "files" as name:
            return CsvOutput(
                reader,
                [column.name for column in columns],
                new,
                _dialect(reader, name),
                extension="tsv" if name == "tsv" else "csv",
                encoding=encoding,
                escapes=options.escape_formulas,
            )
        case "jsonl":
            return JsonlOutput(reader, new, encoding)
        case "json":
            return JsonOutput(reader, new, encoding)
        case other:
            message = f"{key.filename}: {other} output is not supported"
            raise UploadRejected(message)


def _dialect(reader: InputFormat, name: str) -> Dialect:
    if isinstance(reader, CsvInput) and reader.name == name:
        return reader.dialect
    return Dialect(TAB if name == "tsv" else ",")
