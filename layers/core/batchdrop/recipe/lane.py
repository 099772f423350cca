"""The two lanes: Message Batches at half the price, or Messages within seconds."""

from __future__ import annotations

from typing import Literal

Lane = Literal["batch", "live"]
