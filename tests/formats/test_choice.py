"""Which files can be read."""

import pytest

from batchdrop.adapters.formats.choice import format_for
from batchdrop.errors import UploadRejected


@pytest.mark.parametrize(("extension", "output"), [("csv", "csv"), ("jsonl", "jsonl"), ("ndjson", "jsonl")])
def test_known_types(extension: str, output: str) -> None:
    """The output has the input's format."""
    assert format_for(extension, f"f.{extension}").extension == output


@pytest.mark.parametrize("extension", ["xlsx", "json", "txt", "gz", "tsv", "parquet"])
def test_unknown_types_are_named(extension: str) -> None:
    """A file that cannot be read is told what can."""
    with pytest.raises(UploadRejected, match=rf"f\.{extension}: \.{extension} files cannot be read.*csv or \.jsonl"):
        format_for(extension, f"f.{extension}")


def test_a_missing_type_is_told() -> None:
    """A name without a type says how to name it."""
    with pytest.raises(UploadRejected, match="no file type"):
        format_for("", "reviews")
