"""Files as content blocks: found by their bytes, refused with a reason that says what to do."""

from __future__ import annotations

import base64
import re
import struct
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.errors import RowRejected
from batchdrop.limits import MAX_DOCUMENT_BYTES, MAX_REQUEST_BYTES
from batchdrop.requests.content_block import MAX_IMAGE_BYTES, MAX_IMAGE_SIDE, content_block, content_of, url_block
from batchdrop.requests.image_size import image_size
from tests.documents import FOLDER, document

TYPES = {
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
GOOD = sorted(path.name for path in FOLDER.iterdir() if path.suffix in TYPES and not path.name.startswith("locked"))
PNG = document("disc.png")


def _reason(body: bytes, kind: Literal["document", "image"] | None = None) -> str:
    with pytest.raises(RowRejected) as refused:
        content_block(body, name="f", kind=kind)
    return str(refused.value)


@pytest.mark.parametrize("name", GOOD)
def test_real_files_are_known_by_their_bytes(name: str) -> None:
    """Each becomes a base64 block of its kind and media type; the name is not looked at."""
    body = document(name)
    media_type = TYPES[name[name.rindex(".") :]]
    kind: Literal["document", "image"] = "document" if name.endswith(".pdf") else "image"
    expected = {
        "type": kind,
        "source": {"type": "base64", "media_type": media_type, "data": base64.b64encode(body).decode()},
    }
    assert content_block(body, name="wrong.txt", kind=kind) == expected
    assert content_of(body, name="") == (media_type, expected)


def test_the_documents_are_small() -> None:
    """The repository holds no heavy samples."""
    assert max(path.stat().st_size for path in FOLDER.iterdir()) < 10 * 1024


def test_text_becomes_a_document_with_its_name() -> None:
    """UTF-8, without its byte order mark; a title may not be empty, so without a name there is none."""
    assert content_block("\ufeffHello, wörld\n".encode(), name="a/b.txt", kind="document") == {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "Hello, wörld\n"},
        "title": "a/b.txt",
    }
    assert "title" not in content_block(b"x", name=" ", kind=None)
    assert len(content_block(b"x", name="n" * 900, kind=None)["title"]) == 500


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"", None, "empty"),
        (b" \n\t", None, "blank"),
        (b"\xef\xbb\xbf", "document", "blank"),
        (PNG, "document", "it is a PNG file, but the recipe attaches it `as: document`; write `as: image`"),
        (document("page.pdf"), "image", "it is a PDF file, but the recipe attaches it `as: image`"),
        (b"words", "image", "it is text, but the recipe"),
        (b"MZ\x90\0\3", None, "no supported type.*PDF, PNG"),
        (b"caf\xe9", None, "no supported type"),
        (b"text with \x01 in it", None, "no supported type"),
        (b"\xff\xfeh\0i\0", None, "no supported type"),
        (b"PK\x03\x04" + b"\0" * 30, None, "ZIP archive or an Office document.*save documents as PDF"),
        (b"RIFF\0\0\0\0WAVE\xff", None, "no supported type"),
        (PNG[:20], "image", "truncated or damaged"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, None, "truncated or damaged"),
        (b"GIF89a", None, "truncated or damaged"),
        (b"\xff\xd8\xff\xe0", None, "truncated or damaged"),
        (b"\xff\xd8\xff\xe0\0\x04ab" + b"\0" * 9, None, "truncated or damaged"),
        (b"RIFF\0\0\0\0WEBPVP8?" + b"\1" * 20, None, "truncated or damaged"),
        (b"a" * (MAX_DOCUMENT_BYTES + 1), None, r"24,000,001 bytes; a file may have at most 24,000,000.*split"),
        (b"a" * (MAX_IMAGE_BYTES + 1), "image", r"an image may have at most 7,864,320 .*smaller"),
        (PNG + b"\0" * MAX_IMAGE_BYTES, None, "an image may have"),
    ],
)  # fmt: skip
def test_refusals_say_what_to_do(body: bytes, kind: Literal["document", "image"] | None, reason: str) -> None:
    """One row bears what is wrong with its file."""
    assert re.search(reason, _reason(body, kind), re.DOTALL)


@pytest.mark.parametrize("name", ["locked.pdf", "locked-streams.pdf", "locked-linearized.pdf"])
def test_encrypted_pdfs_are_refused(name: str) -> None:
    """Wherever the trailer stands: at the end, in a cross-reference stream, or at a linearized file's first page."""
    assert "encrypted" in _reason(document(name))


def test_a_pdf_that_tells_of_encryption_is_not_encrypted() -> None:
    """Only a trailer counts, not the words on a page, nor a trailer's other keys."""
    page = document("page.pdf")
    told = page.replace(b"%PDF-1.4\n", b"%PDF-1.4\n%/Encrypt 5 0 R (as an example)\n")
    assert content_of(told, name="f").media_type == "application/pdf"
    kept = page.replace(b"trailer\n<<", b"trailer\n<< /EncryptMetadata false ")
    assert kept != page
    assert content_of(kept, name="f").media_type == "application/pdf"


def test_a_pdf_without_a_place_of_its_trailer_is_searched_from_the_last_one() -> None:
    """A file whose startxref is gone, or leads nowhere, is still seen to be encrypted."""
    locked = document("locked.pdf")
    assert "encrypted" in _reason(locked[: locked.rindex(b"startxref")])
    assert "encrypted" in _reason(locked[: locked.rindex(b"startxref")] + b"startxref\n99999999\n%%EOF\n")


def test_a_pdf_may_begin_with_blanks() -> None:
    """Readers of PDF pass over them."""
    assert content_of(b"\xef\xbb\xbf\r\n" + document("page.pdf"), name="f").media_type == "application/pdf"


@pytest.mark.parametrize("name", [name for name in GOOD if not name.endswith(".pdf")])
def test_images_are_measured(name: str) -> None:
    """Every layout of every type tells its width and height."""
    assert image_size(document(name), TYPES[name[name.rindex(".") :]]) == (48, 32)


def test_an_image_too_wide_is_refused() -> None:
    """The API takes at most 8,000 pixels a side."""
    wide = PNG[:16] + struct.pack(">II", MAX_IMAGE_SIDE + 1, 1) + PNG[24:]
    assert "8001 x 1 pixels" in _reason(wide)
    content_block(PNG[:16] + struct.pack(">II", MAX_IMAGE_SIDE, 1) + PNG[24:], name="f", kind="image")


def test_the_largest_document_fits_a_request() -> None:
    """The base64 of the largest file fits the largest request."""
    assert len(base64.b64encode(bytes(MAX_DOCUMENT_BYTES))) <= MAX_REQUEST_BYTES


@given(
    st.binary(max_size=64),
    st.sampled_from(
        [b"", *(mark.encode("latin-1") for mark in ("\x89PNG\r\n\x1a\n", "\xff\xd8\xff", "GIF89a", "%PDF-"))]
    ),
)
def test_any_bytes_are_taken_or_refused(body: bytes, mark: bytes) -> None:
    """Nothing but RowRejected comes out of damaged files."""
    try:
        content_of(mark + body, name="f")
    except RowRejected:
        return


def test_an_address_is_fetched_by_the_api() -> None:
    """The block holds the address as it is."""
    url = "https://example.com/a%20b.pdf?page=1#2"
    assert url_block(url, "document") == {"type": "document", "source": {"type": "url", "url": url}}
    assert url_block(url, "image")["type"] == "image"


@pytest.mark.parametrize(
    "url",
    ["http://example.com/a.png", "ftp://example.com/a", "https://", "https:///a.png", "https://a b", "https://[x"],
)
def test_other_addresses_are_refused(url: str) -> None:
    """The reason does not repeat the address, which may hold a secret."""
    with pytest.raises(RowRejected, match="only https:// URLs") as refused:
        url_block(url, "image")
    assert "example" not in str(refused.value)
