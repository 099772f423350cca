"""What the reference job costs with each lever, from the price file: 1,000,000 rows, dollars.

    python -m benchmarks.levers

All rows share an instruction of 600 tokens; each has 70 tokens of its own and 8 tokens of answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from batchdrop.answers.tokens import Tokens
from batchdrop.money.cost import dollars
from batchdrop.money.estimate import ASSUMED_SHARE
from batchdrop.recipe.lane import Lane

ROWS, SHARED, LENGTHENED, OWN, ANSWER = 1_000_000, 600, 1_024, 70, 8
DISTINCT = 200_000
HITS = (1.0, 0.98, 0.9)
MODELS = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5")


def usd(model: str, *, requests: int = ROWS, shared: int = SHARED, lane: Lane = "batch") -> Decimal:
    """Return the dollars of so many requests, without a cache."""
    found = dollars([Tokens(model, lane=lane, input=requests * (shared + OWN), output=requests * ANSWER)])
    assert found is not None, "the models are in the price file"
    return found


def cached_usd(model: str, hits: float, *, requests: int = ROWS, shared: int = LENGTHENED) -> Decimal:
    """Return the dollars of so many requests, a share of which reads the primed prefix; the others write it again."""
    read = round(requests * hits)
    write = (requests - read) * shared
    tokens = Tokens(
        model, input=requests * OWN, output=requests * ANSWER, cache_read=read * shared, cache_write_1h=write
    )
    found = dollars([tokens])
    assert found is not None, "the models are in the price file"
    return found


def lines() -> Iterator[str]:
    """Yield the table in Markdown."""
    yield f"| lever | {' | '.join(model.removeprefix('claude-') for model in MODELS)} |"
    yield f"|---|{'---|' * len(MODELS)}"
    yield _line("live lane: the full price", lane="live")
    yield _line("batch lane: half of it")
    yield _line(f"the same with an instruction of {LENGTHENED:,} tokens, not cached", shared=LENGTHENED)
    for hits in HITS:
        yield _row(f"… primed by `cache: auto`, {hits:.0%} hits", [cached_usd(model, hits) for model in MODELS])
    yield _escalated()
    yield _line(f"{DISTINCT:,} distinct texts, `dedupe`", requests=DISTINCT)


def _escalated() -> str:
    """Return the line of haiku first, with a share of the rows escalated to the column's model."""
    small, *others = MODELS
    share = Decimal(str(ASSUMED_SHARE))
    sums = (f"{usd(small) + share * usd(model):,.0f}" for model in others)
    return f"| haiku first, {ASSUMED_SHARE:.0%} [escalated](recipes.md#escalation) | – | {' | '.join(sums)} |"


def _line(lever: str, *, requests: int = ROWS, shared: int = SHARED, lane: Lane = "batch") -> str:
    return _row(lever, [usd(model, requests=requests, shared=shared, lane=lane) for model in MODELS])


def _row(lever: str, sums: list[Decimal]) -> str:
    return f"| {lever} | {' | '.join(f'{each:,.0f}' for each in sums)} |"


if __name__ == "__main__":
    print("\n".join(lines()))
