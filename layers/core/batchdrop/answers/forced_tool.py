"""Find the tool that a recipe's `params` force: its input is the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from batchdrop.answers.result import Message
from batchdrop.recipe.words import fault, nearest

# Tools that the API itself runs; an answer that calls them goes on, and ends in text.
_SERVER_TOOLS = ("web_search_", "web_fetch_", "code_execution_", "tool_search_tool_", "mcp_toolset")


class ForcedTool(NamedTuple):
    """The tool whose input is the answer. `name` None: any of several tools. `schema` None: the answer is JSON text."""

    name: str | None
    schema: dict[str, Any] | None

    def input_of(self, message: Message) -> str:
        """Return the input of the first call as JSON text; empty if the message has no call."""
        for block in message.content:
            if block.type == "tool_use" and self._is_called(bytes(block.name)):
                return bytes(block.input).decode()
        return ""

    def _is_called(self, name: bytes) -> bool:
        return self.name is None or _name(name) == self.name


def forced_tool(params: dict[str, Any], *, name: str) -> ForcedTool | None:
    """Return the tool that `tool_choice` forces; None if the answer is text.

    Raises RecipeRejected if `tool_choice` names a tool that `tools` does not have; `name` is the recipe's file.
    """
    choice, tools = params.get("tool_choice"), params.get("tools")
    if not isinstance(choice, dict) or choice.get("type") not in {"tool", "any"}:
        return None
    known = [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    if choice["type"] == "tool":
        wanted = choice.get("name")
        known = [tool for tool in known if tool.get("name") == wanted]
        if not known:
            names = [str(tool.get("name")) for tool in tools if isinstance(tool, dict)] if tools else []
            reason = f"'params.tools' has no tool '{wanted}'{nearest(wanted, names)}"
            raise fault(name, "params.tool_choice.name", f"{reason}; name one of: {', '.join(names) or '(none)'}")
    if not known:
        raise fault(name, "params.tool_choice", "'params.tools' has no tool that can be called; add one, or remove it")
    if any(str(tool.get("type", "")).startswith(_SERVER_TOOLS) for tool in known):
        return None
    if len(known) > 1:
        return ForcedTool(None, None)
    schema = known[0].get("input_schema")
    return ForcedTool(known[0].get("name"), schema if _has_columns(schema) else None)


def _has_columns(schema: Any) -> bool:
    """Return whether each property of the schema can become a column."""
    if not isinstance(schema, dict) or schema.get("type") != "object" or "$ref" in schema:
        return False
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties or not all(map(_is_column, properties.items())):
        return False
    return _end(schema, schema, (), set())


def _is_column(field: tuple[Any, Any]) -> bool:
    name, schema = field
    return isinstance(name, str) and name == name.strip() != "" and isinstance(schema, dict)


def _end(value: Any, root: dict[str, Any], path: tuple[str, ...], done: set[str]) -> bool:
    """Return whether each `$ref` leads to a schema of the same file, and none leads back to itself."""
    for ref in _refs(value):
        if ref in done:
            continue
        target = _target(ref, root)
        if target is None or ref in path or not _end(target, root, (*path, ref), done):
            return False
        done.add(ref)
    return True


def _refs(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from _refs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _refs(inner)


def _target(ref: Any, root: dict[str, Any]) -> dict[str, Any] | None:
    if not isinstance(ref, str) or not ref.startswith("#/"):
        return None
    here: Any = root
    for step in ref[2:].split("/"):
        here = here.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(here, dict) else None
    return here if isinstance(here, dict) else None


def _name(raw: bytes) -> str:
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
