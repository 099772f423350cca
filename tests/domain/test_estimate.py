"""What a request is reckoned to cost."""

from __future__ import annotations

import msgspec
import pytest

from batchdrop.domain.content_block import content_block
from batchdrop.domain.estimate import IMAGE_TOKENS, PAGE_TOKENS, Estimate
from tests.documents import document


def _tokens(*names: str) -> int:
    blocks = [content_block(document(name), name=name, kind=None) for name in names]
    estimate = Estimate("claude-haiku-4-5", 100)
    estimate.add(msgspec.json.encode([*blocks, {"type": "text", "text": "What is it?"}]))
    return estimate.input_tokens


@pytest.mark.parametrize(
    ("names", "tokens"),
    [
        (["disc.png"], IMAGE_TOKENS),
        (["page.pdf"], PAGE_TOKENS),
        (["page-streams.pdf"], PAGE_TOKENS),
        (["disc.gif", "invoice.pdf", "disc.jpg"], 2 * IMAGE_TOKENS + PAGE_TOKENS),
    ],
)
def test_files_count_by_what_is_seen(names: list[str], tokens: int) -> None:
    """Images by the piece and PDFs by the page, not by the length of their base64."""
    assert tokens < _tokens(*names) - _tokens() + 5 < tokens + 40 * len(names)
