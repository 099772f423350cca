"""The two lanes: Message Batches at half the price, or Messages within seconds."""

from __future__ import annotations

from typing import Literal

from batchdrop.limits import LONGEST_LIVE_ANSWER, MAX_LIVE_TOKENS, SECONDS_A_TOKEN

Lane = Literal["batch", "live"]


def seconds_by_rule(max_tokens: int) -> float:
    """Return the seconds that an answer takes by the SDK's rule."""
    return max_tokens * SECONDS_A_TOKEN


def too_long_for_live(max_tokens: int | None) -> str:
    """Return why the live lane cannot send a request; empty if it can. None: each row has its own limit."""
    if max_tokens is None or max_tokens <= MAX_LIVE_TOKENS:
        return ""
    minutes = seconds_by_rule(max_tokens) / 60
    return (
        f"an answer of {max_tokens:,} tokens may take {minutes:.0f} minutes, and the live lane has "
        f"{LONGEST_LIVE_ANSWER / 60:.0f}; set max_tokens to {MAX_LIVE_TOKENS:,} or less, or use `lane: batch`"
    )
