"""What the reference job costs with each lever, from the price file: 1,000,000 rows, dollars.

    python -m benchmarks.levers

All rows share an instruction of 600 tokens; each has 70 tokens of its own and 8 tokens of answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from batchdrop.answers.tokens import Tokens
from batchdrop.limits import MAX_BATCH_REQUESTS
from batchdrop.money.cost import dollars
from batchdrop.recipe.lane import Lane

ROWS, SHARED, OWN, ANSWER = 1_000_000, 600, 70, 8
DISTINCT = 200_000
MODELS = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5")


def usd(model: str, *, requests: int = ROWS, shared: int = SHARED, lane: Lane = "batch") -> Decimal:
    """Return the dollars of so many requests, without a cache."""
    found = dollars([Tokens(model, lane=lane, input=requests * (shared + OWN), output=requests * ANSWER)])
    assert found is not None, "the models are in the price file"
    return found


def shared_in_shards(rows: int = ROWS, distinct: int = DISTINCT, shard: int = MAX_BATCH_REQUESTS) -> int:
    """Return the requests that `dedupe` sends if the texts are drawn at random: equal rows of a shard share one."""
    return round(rows / shard * distinct * (1 - (1 - 1 / distinct) ** shard))


def lines() -> Iterator[str]:
    """Yield the table in Markdown."""
    yield f"| lever | {' | '.join(model.removeprefix('claude-') for model in MODELS)} |"
    yield f"|---|{'---|' * len(MODELS)}"
    yield _line("live lane: the full price", lane="live")
    yield _line("batch lane: half of it")
    yield _line("the same with an instruction of 1,024 tokens, not cached", shared=1_024)
    yield _line(f"{DISTINCT:,} distinct texts, `dedupe`", requests=shared_in_shards())


def _line(lever: str, *, requests: int = ROWS, shared: int = SHARED, lane: Lane = "batch") -> str:
    sums = (f"{usd(model, requests=requests, shared=shared, lane=lane):,.0f}" for model in MODELS)
    return f"| {lever} | {' | '.join(sums)} |"


if __name__ == "__main__":
    print("\n".join(lines()))
