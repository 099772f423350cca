"""Cells that name files: what they may reach, and what each refusal says."""

from __future__ import annotations

from typing import Literal

import pytest

from batchdrop.errors import RowRejected
from batchdrop.limits import MAX_DOCUMENT_BYTES
from batchdrop.recipe.recipe import Attach
from batchdrop.requests.content_block import MAX_IMAGE_BYTES, content_block
from batchdrop.split.attachments import Attachments
from tests.documents import document
from tests.fakes import FakeObjectStore

PNG = document("disc.png")


def _attach(kind: Literal["document", "image"] = "image") -> Attach:
    return Attach(column="scan", kind=kind)


@pytest.fixture
def store() -> FakeObjectStore:
    """A bucket with files, and with what nobody may attach."""
    store = FakeObjectStore()
    for key in ("files/a.png", "files/2026/Ä b.png", "files/files/a.png", "secret.png", "jobs/j/manifest.json"):
        store.write(key, PNG)
    store.write("files/empty.png", b"")
    store.write("files/letter.txt", b"Dear reader")
    return store


@pytest.mark.parametrize(
    "cell",
    [
        "a.png", " a.png\n", "files/a.png", "s3://bucket/files/a.png", "S3://bucket/files/a.png", "2026/Ä b.png",
        "files/files/a.png",
    ],
)  # fmt: skip
def test_a_cell_names_an_object_under_files(store: FakeObjectStore, cell: str) -> None:
    """With or without the prefix, or in full."""
    assert Attachments(store, "bucket")(cell, _attach()) == content_block(PNG, name="", kind="image")


def test_a_text_is_titled_by_its_name(store: FakeObjectStore) -> None:
    """Its place under files/."""
    assert Attachments(store, "bucket")("letter.txt", _attach("document"))["title"] == "letter.txt"


@pytest.mark.parametrize("cell", ["https://example.com/a.png", " HTTPS://example.com/a.png"])
def test_an_address_is_left_to_the_api(store: FakeObjectStore, cell: str) -> None:
    """Nothing is read."""
    block = Attachments(store, "bucket")(cell, _attach())
    assert block == {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}


OUT_OF_REACH = {
    "": "blank",
    "  ": "blank",
    "../secret.png": r"'\.\.'",
    "files/../secret.png": r"'\.\.'",
    "s3://bucket/files/../jobs/j/manifest.json": r"'\.\.'",
    "./a.png": "not allowed",
    "/a.png": "not allowed",
    "files//a.png": "not allowed",
    "2026/": "not allowed",
    "a\0.png": "not allowed",
    "s3://other/files/a.png": "another bucket",
    "s3://bucket.evil/files/a.png": "another bucket",
    "s3://bucket/secret.png": "only files under files/",
    "s3://bucket/jobs/j/manifest.json": "only files under files/",
    "s3://bucket/files": "only files under files/",
    "s3://bucket": "only files under files/",
    "x" * 1_020: "too long",
}


@pytest.mark.parametrize(("cell", "reason"), OUT_OF_REACH.items())
def test_nothing_else_can_be_reached(store: FakeObjectStore, cell: str, reason: str) -> None:
    """The reason names the column, and says where files go; the store is not asked."""
    asked: list[str] = []
    store.on_read = asked.append
    with pytest.raises(RowRejected, match=f"(?s)^column 'scan': .*{reason}.*put the file under files/ in the bucket"):
        Attachments(store, "bucket")(cell, _attach())
    assert asked == []


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("secret.png", "object files/secret.png does not exist; put the file there"),
        ("jobs/j/manifest.json", "object files/jobs/j/manifest.json does not exist"),
        ("empty.png", "files/empty.png: the file is empty"),
        ("letter.txt", "files/letter.txt: it is text"),
        ("http://example.com/a.png", "the API fetches only https:// URLs"),
        ("gs://bucket/a.png", "the API fetches only https:// URLs"),
    ],
)
def test_what_cannot_be_attached_is_reported(store: FakeObjectStore, cell: str, reason: str) -> None:
    """With the column, and the object that was meant."""
    with pytest.raises(RowRejected, match=f"^column 'scan': {reason}"):
        Attachments(store, "bucket")(cell, _attach())


@pytest.mark.parametrize(("kind", "most"), [("document", MAX_DOCUMENT_BYTES), ("image", MAX_IMAGE_BYTES)])
def test_a_file_too_large_is_not_read(kind: Literal["document", "image"], most: int) -> None:
    """Its size is asked for first."""

    class Heavy(FakeObjectStore):
        def size(self, key: str) -> int:
            return most + 1

        def read_range(
            self, key: str, start: int, end: int, *, etag: str | None = None, version: str | None = None
        ) -> bytes:
            raise AssertionError

    with pytest.raises(RowRejected, match=f"at most {most:,}"):
        Attachments(Heavy(), "bucket")("a.png", _attach(kind))


def test_an_object_that_grows_takes_no_more_than_was_claimed(store: FakeObjectStore) -> None:
    """Memory is claimed before it is used, and for the size that was seen."""
    claimed: list[int] = []

    def grow(size: int) -> None:
        claimed.append(size)
        store.write("files/a.png", PNG + b"\0" * 1_000)

    assert Attachments(store, "bucket", claim=grow)("a.png", _attach()) == content_block(PNG, name="", kind="image")
    assert claimed == [len(PNG)]
