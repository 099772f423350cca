"""Which files can be read."""

import pytest

from batchdrop.answers.columns import NewColumns
from batchdrop.errors import UploadRejected
from tests.formats.reading import reader_of


@pytest.mark.parametrize(("extension", "name"), [("csv", "csv"), ("jsonl", "jsonl"), ("ndjson", "jsonl")])
def test_known_types(extension: str, name: str) -> None:
    """The format follows from the file's name."""
    assert reader_of(f"f.{extension}").name == name


def test_unknown_types_are_named() -> None:
    """A file that cannot be read is told what can."""
    with pytest.raises(UploadRejected, match=r"f\.doc: \.doc files are not supported"):
        reader_of("f.doc", new=NewColumns())


def test_a_missing_type_is_reported() -> None:
    """A name without a type says how to name it."""
    with pytest.raises(UploadRejected, match="no file type"):
        reader_of("reviews")
