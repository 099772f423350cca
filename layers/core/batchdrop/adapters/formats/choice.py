"""Which format a file is in."""

from batchdrop.adapters.formats.csv_format import CsvFormat
from batchdrop.adapters.formats.jsonl_format import JsonlFormat
from batchdrop.errors import UploadRejected
from batchdrop.ports import FileFormat


def format_for(extension: str, filename: str, header: str = "") -> FileFormat:
    """Return the format of a file by its extension. Raises UploadRejected for one that cannot be read."""
    match extension:
        case "csv":
            return CsvFormat(filename, header)
        case "jsonl" | "ndjson":
            return JsonlFormat(filename)
        case "":
            message = f"{filename}: the name has no file type. Drop it as {filename}.csv or {filename}.jsonl"
        case _:
            message = f"{filename}: .{extension} files cannot be read. Save it as .csv or .jsonl and drop it again"
    raise UploadRejected(message)
