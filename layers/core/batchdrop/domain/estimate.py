"""What a request will roughly cost, from its text alone: nothing is sent to find out."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass
from decimal import Decimal

from batchdrop.domain.cost import batch_dollars
from batchdrop.domain.tokens import Tokens

CHARS_PER_TOKEN = 4  # of Latin script, by the older tokeniser
NEW_TOKENISER = 1.3  # models from 4.7 on make up to 30 % more tokens of a text
IMAGE_TOKENS = 1_600  # an image counts width x height / 750, and is scaled down to about this
PAGE_TOKENS = 2_000  # a page of a PDF counts 1,500 to 3,000
OLD_TOKENISER_MODELS = (
    "claude-haiku-4-5",
    "claude-sonnet-4-5",
    "claude-sonnet-4-6",
    "claude-opus-4-5",
    "claude-opus-4-6",
)

_FILE = re.compile(rb'"base64","media_type":"([^"]+)","data":"([^"]*)"')  # as `content_block` has it
_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")


@dataclass(slots=True)
class Estimate:
    """Tokens and dollars of many requests. `low` counts no output at all, `high` as much as `max_tokens` allows."""

    model: str
    max_tokens: int
    requests: int = 0
    input_tokens: int = 0

    def add(self, params: bytes) -> None:
        """Count one request by its `params`."""
        self.requests += 1
        text = _FILE.sub(b"", params)
        files = _FILE.findall(params) if len(text) < len(params) else []
        self.input_tokens += tokens_of(text, self.model) + sum(_file_tokens(*file) for file in files)

    @property
    def low(self) -> Decimal | None:
        """Return dollars at the batch price if answers were empty; None where the price is not known."""
        return self._dollars(0)

    @property
    def high(self) -> Decimal | None:
        """Return dollars at the batch price if every answer took `max_tokens`."""
        return self._dollars(self.max_tokens * self.requests)

    def _dollars(self, output: int) -> Decimal | None:
        return batch_dollars([Tokens(self.model, answers=self.requests, input=self.input_tokens, output=output)])


def _file_tokens(media_type: bytes, data: bytes) -> int:
    """Return what an image or a PDF counts; pages packed into streams cannot be seen, but one is there."""
    if media_type.startswith(b"image/"):
        return IMAGE_TOKENS
    return PAGE_TOKENS * max(1, len(_PAGE.findall(b64decode(data))))


def tokens_of(text: bytes, model: str) -> int:
    """Return the tokens of UTF-8 text: four Latin characters each, or one CJK character; right within about a third."""
    chars = len(text) if text.isascii() else len(text.decode("utf-8", "replace"))
    wide = min(chars, (len(text) - chars) // 2)
    plain = wide + (chars - wide) / CHARS_PER_TOKEN
    return round(plain * (1.0 if model.startswith(OLD_TOKENISER_MODELS) else NEW_TOKENISER))
