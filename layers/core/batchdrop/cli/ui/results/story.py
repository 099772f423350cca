"""A row's whole story for a page: what was sent, what came back, what it cost, and under which ids."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec

from batchdrop.answers.result import Message
from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.row_story import Round, RowStory, row_story
from batchdrop.job.job_files import read_manifest
from batchdrop.money.cost import dollars, unit_of
from batchdrop.money.prices import PriceTable


class RoundShown(msgspec.Struct, frozen=True):
    """One round: ids by their names, the prompt's and the answer's texts, all tokens by their names, and dollars.

    `usd` is None where nothing was paid or it is unknown. `request` and `result` are the whole JSON.
    """

    title: str
    ids: dict[str, str]
    prompt: list[tuple[str, str]]
    answer: str
    tokens: dict[str, int]
    usd: Decimal | None
    pack: list[int]
    request: str
    result: str


def story_of(deployment: Deployment, job_id: str, row: int) -> tuple[RowStory, list[RoundShown]]:
    """Return a row's story. Raises NoSuchJobError if the job has no such row."""
    story = row_story(deployment.store, job_id, row, ledger=deployment.ledger)
    manifest = read_manifest(deployment.store, story.job_id)
    prices = manifest.prices if manifest else None
    batches = {
        one.round_number: one.batch_id or ""
        for one in deployment.ledger.submissions(story.job_id)
        if one.shard == story.shard
    }
    return story, [_shown(one, batches.get(one.round, ""), prices) for one in story.rounds]


def _shown(one: Round, batch_id: str, prices: PriceTable | None) -> RoundShown:
    request, result = _mapping(one.request), _mapping(one.result)
    message = _mapping(result.get("message"))
    error = _mapping(result.get("error"))
    ids = {
        "Request": one.custom_id,
        "Message": message.get("id"),
        "Message Batch": batch_id,
        "API request": error.get("request_id"),
        "Model": message.get("model"),
        "Stop reason": message.get("stop_reason"),
    }
    usage = _mapping(message.get("usage"))
    return RoundShown(
        title=f"Round {one.round + 1}" + ("" if one.escalated is None else f", escalated ({one.escalated})"),
        ids={name: value for name, value in ids.items() if isinstance(value, str) and value},
        prompt=[*_prompt(request)],
        answer=_text(message.get("content")) or _short(error),
        tokens={name: count for name, count in usage.items() if isinstance(count, int) and count},
        usd=_usd(message, prices),
        pack=one.pack,
        request=_written(one.request),
        result=_written(one.result),
    )


def _prompt(request: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the request's texts, each with its role."""
    found = [("system", _text(request.get("system")))]
    messages = request.get("messages")
    listed = messages if isinstance(messages, list) else []
    found += [(str(_mapping(one).get("role", "")), _text(_mapping(one).get("content"))) for one in listed]
    return [(role, text) for role, text in found if text]


def _text(content: Any) -> str:
    """Return the texts of content blocks; of another block its type, such as `[image]`."""
    if isinstance(content, str):
        return content
    blocks = map(_mapping, content) if isinstance(content, list) else ()
    return "\n".join(str(block.get("text") or f"[{block.get('type', 'block')}]") for block in blocks)


def _short(error: dict[str, Any]) -> str:
    inner = _mapping(error.get("error")) or error
    return ": ".join(str(inner[name]) for name in ("type", "message") if inner.get(name))


def _usd(message: dict[str, Any], prices: PriceTable | None) -> Decimal | None:
    try:
        billed = msgspec.convert(message, Message)
    except msgspec.ValidationError:
        return None
    tokens = unit_of(billed)
    tokens.add([billed.usage])
    return dollars([tokens], prices)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _written(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False, indent=2)
