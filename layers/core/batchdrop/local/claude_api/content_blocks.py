"""The content blocks of an answer: thinking, web searches, text with citations, and calls of the caller's tools."""

from batchdrop.local.claude_api.answers import Prompt
from batchdrop.local.claude_api.dice import Dice, token
from batchdrop.local.claude_api.message_types import (
    ContentBlock,
    ServerToolUseBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    WebSearchResultBlock,
)
from batchdrop.local.claude_api.params import Params
from batchdrop.local.claude_api.schema_answers import instance_of

_FOUND = {"type": "web_search_result", "url": "https://example.com/", "title": "An example", "page_age": None}
_CITED = {"type": "web_search_result_location", "url": "https://example.com/", "cited_text": "An example."}


def content_of(params: Params, prompt: Prompt, text: str, seed: int, *, stop: str) -> list[ContentBlock]:
    """Return the blocks of an answer with this text."""
    content: list[ContentBlock] = []
    if params.thinks:
        content.append(ThinkingBlock("The request is plain.", token("sig", prompt.digest, seed)))
    if params.searches:
        content.append(TextBlock("I will search for it."))
    for number in range(params.searches):
        call = token("srvtoolu", prompt.digest, seed + number)
        content.append(ServerToolUseBlock(call, "web_search", {"query": "example"}))
        content.append(WebSearchResultBlock(call, [_FOUND]))
    if text:
        content.append(TextBlock(text, citations=[_CITED] if params.searches else None))
    if stop == "tool_use":
        content.append(_call(params, prompt, seed))
    return content


def _call(params: Params, prompt: Prompt, seed: int) -> ToolUseBlock:
    dice = Dice(digest=prompt.digest, salt=2 * seed + 1)
    tool = params.forced_tool or (params.tools[0] if params.tools else None)
    schema = tool.input_schema if tool else None
    value = instance_of(schema, prompt.conversation, dice) if schema else {}
    return ToolUseBlock(token("toolu", prompt.digest, seed), tool.name if tool else "lookup", value)
