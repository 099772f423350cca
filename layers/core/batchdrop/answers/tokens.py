"""Add up the tokens of answers with the same price per token."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from batchdrop.answers.result import Usage
from batchdrop.recipe.lane import Lane


class Tokens(msgspec.Struct):
    """Tokens of all answers of one model at one price, and their web searches.

    `long_prompt`: the prompts exceed the model's price step. `lane`: the batch lane costs half. `geo`, `tier` and
    `speed` are the usage's `inference_geo`, `service_tier` and `speed`; empty where these are the usual ones.
    """

    model: str
    long_prompt: bool = False
    lane: Lane = "batch"
    answers: int = 0
    input: int = 0
    output: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    web_searches: int = 0
    geo: str = ""
    tier: str = ""
    speed: str = ""

    @property
    def price_key(self) -> tuple[object, ...]:
        """Return what decides the price per token."""
        return self.model, self.long_prompt, self.lane, self.geo, self.tier, self.speed

    def like(self) -> Tokens:
        """Return no tokens at the same price."""
        return Tokens(self.model, self.long_prompt, self.lane, geo=self.geo, tier=self.tier, speed=self.speed)

    def add(self, usages: Sequence[Usage]) -> None:
        """Add the usage of answers."""
        self.answers += len(usages)
        self.input += sum([usage.input_tokens for usage in usages])
        self.output += sum([usage.output_tokens for usage in usages])
        self.cache_read += sum([usage.cache_read_input_tokens or 0 for usage in usages])
        for usage in usages:
            if usage.server_tool_use is not None:
                self.web_searches += usage.server_tool_use.web_search_requests
            if usage.cache_creation is not None:
                self.cache_write_5m += usage.cache_creation.ephemeral_5m_input_tokens
                self.cache_write_1h += usage.cache_creation.ephemeral_1h_input_tokens
            else:
                self.cache_write_5m += usage.cache_creation_input_tokens or 0

    def merge(self, other: Tokens) -> None:
        """Add other tokens with the same model and price."""
        for name in ("answers", "input", "output", "cache_write_5m", "cache_write_1h", "cache_read", "web_searches"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
