"""`batchdrop.ask`: prompts in, answers out, for those who have no table."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from batchdrop.library.running import run
from batchdrop.library.tables import rows_of

_COLUMN = "answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one prompt. `text` is None without one; `error` says why."""

    id: str
    text: str | None
    status: str
    error: str


def ask(
    prompts: Iterable[Mapping[str, Any]],
    *,
    model: str,
    max_tokens: int = 1024,
    system: str | None = None,
    lane: str = "batch",
    recipe: Mapping[str, Any] | None = None,
    **options: Any,
) -> list[Answer]:
    """Send prompts, each with an `id` and a `prompt`, and return their answers in the same order.

    They go as Message Batches, at half the price; `lane="live"` answers within seconds at the full price. `recipe` has
    more keys of a recipe, such as `max_cost_usd`. `options` are those of `run`, which also says what is raised.
    Raises TypeError for an item without a text as `prompt`.
    """
    rows = [_row(item) for item in prompts]
    whole: dict[str, Any] = {"model": model, "max_tokens": max_tokens, "prompt": "{{ prompt }}", "lane": lane}
    whole |= {"system": system} if system is not None else {}
    result = run(rows, {**whole, **(recipe or {})}, **options)
    return [
        Answer(row["id"], row.get(_COLUMN), row["_status"], row.get("_error") or "") for row in rows_of(result.output)
    ]


async def aask(prompts: Iterable[Mapping[str, Any]], *, model: str, **options: Any) -> list[Answer]:
    """Do the same as `ask` without blocking the event loop."""
    return await asyncio.to_thread(ask, prompts, model=model, **options)


def _row(item: Mapping[str, Any]) -> dict[str, str]:
    prompt = item.get("prompt")
    if not isinstance(prompt, str):
        message = f"an item has an `id` and a `prompt` that is text, not {dict(item)!r}"
        raise TypeError(message)
    return {"id": str(item.get("id", "")), "prompt": prompt}
