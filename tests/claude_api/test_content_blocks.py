"""Images and documents: what the API refuses in them, what they count, and that they are asked about."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from anthropic import Anthropic

from batchdrop.local.claude_api.content import MAX_IMAGE_BYTES
from batchdrop.local.claude_api.testing import RunningEmulator
from tests.claude_api.asks import error_of, params, post, result
from tests.documents import FOLDER, document

PNG, PDF = document("disc.png"), document("page.pdf")


def _based(kind: str, media_type: str | None, body: bytes | str | None) -> dict[str, Any]:
    data = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    fields = {"media_type": media_type, "data": data}
    return {
        "type": kind,
        "source": {"type": "base64", **{name: value for name, value in fields.items() if value is not None}},
    }


def _text(data: str, **more: Any) -> dict[str, Any]:
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": data}, **more}


def _url(url: str, kind: str = "image") -> dict[str, Any]:
    return {"type": kind, "source": {"type": "url", "url": url}}


def _content(*blocks: dict[str, Any], text: str = "What is it?") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [*blocks, {"type": "text", "text": text}]}]}


def _asked(emulator: RunningEmulator, *blocks: dict[str, Any], text: str = "What is it?") -> Any:
    return post(emulator, {**params(), **_content(*blocks, text=text)}, "/v1/messages")


BLOCKS = [
    *(
        _based("image", f"image/{path.suffix[1:].replace('jpg', 'jpeg')}", path.read_bytes())
        for path in sorted(FOLDER.glob("disc*"))
    ),
    *(
        _based("document", "application/pdf", document(name))
        for name in ("invoice.pdf", "page.pdf", "page-streams.pdf")
    ),
    _text("Dear reader", title="letter.txt"),
    _text("Dear reader", title="letter.txt", context="post", citations={"enabled": True}),
    {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "part"}]}},
    _url("https://example.com/a.png"),
    _url("https://example.com/a.pdf?x=1", "document"),
    {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block['type']}-{block['source']['type']}")
def test_good_blocks_are_answered(emulator: RunningEmulator, block: dict[str, Any]) -> None:
    """Every source of the SDK's types, and every kind of file."""
    answer = _asked(emulator, block)
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"][0]["text"]


WIDE = PNG[:16] + (8001).to_bytes(4, "big") + PNG[20:]
REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"type": "picture"}, "0: Input tag 'picture' found using 'type' does not match any"),
    ({"type": "image"}, "0.image.source: Field required"),
    ({"type": "image", "source": "x"}, "0.image.source: Field required"),
    ({"type": "image", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}, "Input tag 'text' found"),
    ({"type": "image", "source": {"type": "base64", "datum": "x"}}, "datum: Extra inputs are not permitted"),
    (_based("image", None, PNG), "0.image.source.base64.media_type: Field required"),
    (_based("image", "image/tiff", PNG), "0.image.source.base64.media_type: Input should be 'image/jpeg' or"),
    (_based("image", "image/jpeg", PNG), "does not match the provided media type image/jpeg"),
    (_based("image", "image/png", None), "0.image.source.base64.data: Field required"),
    (_based("image", "image/png", ""), "0.image.source.base64.data: String should have at least 1 character"),
    (_based("image", "image/png", "abc"), "Invalid base64 data"),
    (_based("image", "image/png", "data:image/png;base64,AAAA"), "Invalid base64 data"),
    (_based("image", "image/png", b"words"), "Could not process image"),
    (_based("image", "image/png", WIDE), "exceed max allowed size: 8000 pixels"),
    (_based("image", "image/png", PNG + bytes(MAX_IMAGE_BYTES)), "image exceeds 10 MB maximum: "),
    (_based("document", "image/png", PNG), "0.document.source.base64.media_type: Input should be 'application/pdf'"),
    (_based("document", "application/pdf", PNG), "0.pdf.source.base64.data: The PDF specified was not valid."),
    (_based("document", "application/pdf", PDF[:-20]), "The PDF specified was not valid."),
    (_based("document", "application/pdf", document("locked.pdf")), "The PDF specified is password protected."),
    (_based("document", "application/pdf", document("locked-streams.pdf")), "password protected"),
    (_text(""), "0.document.source.text.data: String should have at least 1 character"),
    (_text("x", title=""), "0.document.title: String should have at least 1 character"),
    ({"type": "document", "source": {"type": "text", "media_type": "text/html", "data": "x"}}, "'text/plain'"),
    ({"type": "document", "source": {"type": "content", "content": []}}, "0.document.source.content.content"),
    (_url("http://example.com/a.png"), "0.image.source.url.url: Only HTTPS URLs are supported."),
    (_url("https://"), "Only HTTPS URLs are supported."),
    ({"type": "image", "source": {"type": "file"}}, "0.image.source.file.file_id: Field required"),
]  # fmt: skip


@pytest.mark.parametrize(("block", "message"), REFUSALS, ids=[message[:40] for _, message in REFUSALS])
def test_bad_blocks_are_refused(emulator: RunningEmulator, block: dict[str, Any], message: str) -> None:
    """400 invalid_request_error with the block's place."""
    status, kind, told = error_of(_asked(emulator, block))
    assert (status, kind) == (400, "invalid_request_error")
    assert message in told
    assert "messages" in told


def test_a_bad_block_in_a_batch_is_an_errored_result(emulator: RunningEmulator, client: Anthropic) -> None:
    """Its request alone; it costs nothing."""
    got = result(client, emulator, "", **_content(_url("http://example.com/a.png")))
    assert got.type == "errored"
    assert "Only HTTPS" in got.error.error.message
    assert emulator.bill() == []


def test_the_system_prompt_is_text(emulator: RunningEmulator) -> None:
    """No images in it."""
    body = {**params(), "system": [_url("https://example.com/a.png")]}
    assert "system.0" in error_of(post(emulator, body, "/v1/messages"))[2]


def test_blocks_count_tokens(emulator: RunningEmulator) -> None:
    """Images by the piece, PDFs by the page, text by its words."""

    def counted(*blocks: dict[str, Any]) -> int:
        body = {"model": params()["model"], **_content(*blocks)}
        count: int = post(emulator, body, "/v1/messages/count_tokens").json()["input_tokens"]
        return count

    alone = counted()
    assert counted(_based("image", "image/png", PNG)) == alone + 1_600
    assert counted(_based("document", "application/pdf", PDF)) == alone + 2_000
    assert counted(_url("https://example.com/a.png")) == alone + 1_600
    assert alone + 300 < counted(_text("some words " * 200)) < alone + 1_000


def test_another_image_is_another_prompt(emulator: RunningEmulator) -> None:
    """The bill tells requests apart that only differ in what is seen."""
    for body in (PNG, document("disc.png") + b"\0", PNG):
        assert _asked(emulator, _based("image", "image/png", body)).status_code == 200
    assert len({entry["prompt_digest"] for entry in emulator.bill()}) == 2


def test_text_documents_are_read(emulator: RunningEmulator) -> None:
    """Magic words and alternatives in them work as in the prompt."""
    refused = _asked(emulator, _text("All is well. [[refusal]]"))
    assert refused.json()["stop_reason"] == "refusal"
    answer = _asked(emulator, _text("A wonderful product, I love it."), text="positive, neutral or negative?")
    assert json.loads(answer.text)["content"][0]["text"] == "positive"


def test_a_cached_document_is_read_from_the_cache(emulator: RunningEmulator) -> None:
    """A marked document is a prefix as any other."""
    marked = _text("many words " * 1_000, cache_control={"type": "ephemeral"})
    first, second = _asked(emulator, marked).json()["usage"], _asked(emulator, marked).json()["usage"]
    assert first["cache_creation_input_tokens"] == second["cache_read_input_tokens"] > 1_024
