"""Which format a file is in, and which its output gets."""

from __future__ import annotations

from typing import Literal

from batchdrop.adapters.formats.csv_input import CsvInput
from batchdrop.adapters.formats.csv_output import CsvOutput
from batchdrop.adapters.formats.dialect import Dialect
from batchdrop.adapters.formats.files_input import FilesInput
from batchdrop.adapters.formats.jsonl_input import JsonlInput
from batchdrop.adapters.formats.jsonl_output import FailedOutput, JsonlOutput
from batchdrop.domain.answer import Column, NewColumns
from batchdrop.domain.recipe import FormatName, Input, Output
from batchdrop.domain.upload import InboxKey
from batchdrop.errors import UploadRejected
from batchdrop.ports import InputFormat, OutputFormat

_BY_EXTENSION: dict[str, FormatName] = {"csv": "csv", "jsonl": "jsonl", "ndjson": "jsonl"}


class FileFormats:
    """Chooses formats by the upload's name and the recipe."""

    def reader(
        self, key: InboxKey, options: Input | Literal["files"], new: NewColumns, header: str = ""
    ) -> InputFormat:
        """Return what reads the upload. Raises UploadRejected for a file that cannot be read."""
        if options == "files":
            return FilesInput(key.filename)
        match options.format or _format_named(key):
            case "csv":
                return CsvInput(key.filename, header)
            case "jsonl":
                return JsonlInput(key.filename, new.names)
            case other:
                message = f"{key.filename}: {other} files cannot be read"
                raise UploadRejected(message)

    def writer(
        self, reader: InputFormat, key: InboxKey, options: Output, new: NewColumns, columns: list[Column]
    ) -> OutputFormat:
        """Return what writes the output. `columns` are the input's own, as far as the whole file was read."""
        match options.format or reader.name:
            case "csv" | "files":
                names = [column.name for column in columns]
                return CsvOutput(reader, names, new, _dialect(reader), escapes=options.escape_formulas)
            case "jsonl":
                return JsonlOutput(reader, new)
            case other:
                message = f"{key.filename}: {other} files cannot be written"
                raise UploadRejected(message)

    def failed(self, reader: InputFormat, new: NewColumns) -> OutputFormat:
        """Return what writes `failed.jsonl`."""
        return FailedOutput(reader, new)


def _dialect(reader: InputFormat) -> Dialect:
    return reader.dialect if isinstance(reader, CsvInput) else Dialect()


def _format_named(key: InboxKey) -> FormatName:
    known = _BY_EXTENSION.get(key.extension)
    if known is not None:
        return known
    if not key.extension:
        message = f"{key.filename}: the name has no file type. Drop it as {key.filename}.csv or {key.filename}.jsonl"
    else:
        message = f"{key.filename}: .{key.extension} files cannot be read. Save it as .csv or .jsonl and drop it again"
    raise UploadRejected(message)
