"""The formats that names of files end in."""

from __future__ import annotations

from batchdrop.errors import UploadRejected
from batchdrop.job.upload import InboxKey
from batchdrop.recipe.recipe import FormatName

BY_EXTENSION: dict[str, FormatName] = {
    "csv": "csv",
    "tsv": "tsv",
    "tab": "tsv",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "json",
    "txt": "txt",
    "parquet": "parquet",
    "arrow": "arrow",
    "arrows": "arrow",
    "feather": "arrow",
    "ipc": "arrow",
    "xlsx": "xlsx",
    "xlsm": "xlsx",
    "xls": "xlsx",
    "xlsb": "xlsx",
    "ods": "xlsx",
}


def format_named(key: InboxKey) -> FormatName:
    """Return the format that an upload's name ends in. Raises UploadRejected for an unknown one."""
    known = BY_EXTENSION.get(key.extension)
    if known is not None:
        return known
    if not key.extension:
        message = f"{key.filename}: the name has no file type. Drop it as {key.filename}.csv or {key.filename}.jsonl"
    else:
        types = ", ".join(f".{extension}" for extension in BY_EXTENSION)
        message = (
            f"{key.filename}: .{key.extension} files are not supported. Save the file as {types}, optionally as "
            ".gz, .zst or .bz2, and drop it again; or set input.format in the recipe, if only the name is wrong"
        )
    raise UploadRejected(message)
