"""The estimate of a request's tokens, block by block."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from batchdrop.money.prompt_tokens import IMAGE_TOKENS, PAGE_TOKENS, request_size

PAGE = base64.b64encode(b"%PDF-1.7 1 0 obj <</Type /Page>> endobj").decode()


def _tokens(*blocks: dict[str, Any]) -> float:
    messages = [{"role": "user", "content": [{"type": "text", "text": "x"}, *blocks]}]
    return request_size(msgspec.json.encode({"model": "claude-haiku-5-5", "messages": messages})).input_tokens


@pytest.mark.parametrize(
    ("block", "tokens"),
    [
        ({"type": "image", "source": {"type": "url", "url": "https://x"}}, IMAGE_TOKENS),
        ({"type": "document", "source": {"type": "url", "url": "https://x"}}, PAGE_TOKENS),
        ({"type": "document", "source": {"type": "base64", "data": PAGE}}, PAGE_TOKENS),
        ({"type": "text", "text": ""}, 0),
    ],
)
def test_what_is_seen_counts_by_image_and_page(block: dict[str, Any], tokens: int) -> None:
    """An image counts once, a PDF by its pages, one at least; a text counts only its words."""
    assert _tokens(block) - _tokens() == pytest.approx(tokens, abs=1)
