"""What all requests of a recipe share, from their beginning on: tools, system prompt, shared messages."""

from __future__ import annotations

from typing import Any

import msgspec

from batchdrop.answers.shape import AnswerShape
from batchdrop.recipe.recipe import Recipe
from batchdrop.requests.cache_mark import CacheMark
from batchdrop.requests.conversation import Conversation

_CACHE = {"type": "ephemeral", "ttl": "1h"}  # a Message Batch may take longer than the default five minutes


def cache_mark(recipe: Recipe, shape: AnswerShape, *, name: str) -> CacheMark | None:
    """Return the mark at the end of what all requests of a recipe share; None if they share no prefix.

    Raises RecipeRejected like `Conversation`.
    """
    shared = Conversation(recipe, shape, name=name).shared
    encode = msgspec.json.encode
    if shared:
        last = {**shared[-1], "content": [_marked(shared[-1]["content"])]}
        plain = b",".join(map(encode, shared))
        marked = b",".join(map(encode, [*shared[:-1], last]))
        opening = b'"messages":['
    elif recipe.system_text:
        plain, marked, opening = encode(recipe.system_text), encode([_marked(recipe.system_text)]), b'"system":'
    else:
        return None
    mark = CacheMark(opening + plain, opening + marked)
    return None if mark.plain in encode(recipe.params) else mark  # then it would stand twice in each request


def shared_texts(recipe: Recipe, shape: AnswerShape, *, name: str) -> list[str]:
    """Return the texts before the mark: tools, system prompt, shared messages."""
    tools = recipe.params.get("tools")
    tool_texts = [_text(tool) for tool in tools] if isinstance(tools, list) else []
    shared = Conversation(recipe, shape, name=name).shared
    return [*tool_texts, recipe.system_text, *(message["content"] for message in shared)]


def _text(tool: Any) -> str:
    return msgspec.json.encode(tool).decode()


def _marked(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "cache_control": _CACHE}
