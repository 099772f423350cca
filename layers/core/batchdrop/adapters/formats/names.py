"""The formats that names of files end in."""

from __future__ import annotations

from pathlib import PurePosixPath

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


_NOWHERE = InboxKey("", "", "")


def key_in_archive(name: str, archive: InboxKey) -> InboxKey:
    """Return the key that a file of an archive would have in the inbox; messages call it `archive.zip/name.csv`.

    Its content is read as it is: a compression in a compression is not.
    """
    pure = PurePosixPath(name.replace("\\", "/"))
    extension = pure.suffix.removeprefix(".").lower()
    return InboxKey(archive.recipe, pure.stem, extension, "", f"{archive.filename}/{name}")


def is_table(name: str) -> bool:
    """Return whether a file of an archive is a table by its name. Texts may be others' words about the tables."""
    return BY_EXTENSION.get(key_in_archive(name, _NOWHERE).extension, "txt") != "txt"


def is_text(name: str) -> bool:
    """Return whether a file of an archive is a text by its name."""
    return BY_EXTENSION.get(key_in_archive(name, _NOWHERE).extension) == "txt"
