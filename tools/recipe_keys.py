"""Write the keys with which the console's editor completes recipes: `python -m tools.recipe_keys`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from batchdrop.answers.fields import SCALARS
from batchdrop.recipe.models import model_table
from tools.recipe_schema import recipe_schema

PATH = Path(__file__).parents[1] / "layers" / "core" / "batchdrop" / "cli" / "ui" / "static" / "recipe_keys.json"
ANY = "*"  # a key that the user names: a field of the answer

Key = dict[str, Any]


def recipe_keys() -> dict[str, list[Key]]:
    """Return the keys by their place: "" for the recipe's own, `input`, `answer.*` for a field of the answer."""
    schema = recipe_schema()
    defs = schema["$defs"]
    places = {"": _keys(schema["properties"])}
    places[""] = [{**key, "values": _models()} if key["key"] == "model" else key for key in places[""]]
    for name, key in schema["properties"].items():
        inner = [found for one in _options(key) for found in _properties(one, defs)]
        if inner:
            places[name] = inner
    types = [word + mark for word in SCALARS for mark in ("", "?")]
    places["answer"] = [*places.get("answer", []), {"key": ANY, "values": types}]
    fields = [_properties(one, defs) for one in defs["AnswerType"]["anyOf"]]
    places[f"answer.{ANY}"] = [*{key["key"]: key for keys in fields for key in keys}.values()]
    return places


def _options(key: dict[str, Any]) -> list[dict[str, Any]]:
    return [key, *key.get("anyOf", []), *([key["items"]] if "items" in key else [])]


def _properties(option: dict[str, Any], defs: dict[str, Any]) -> list[Key]:
    named = defs[option["$ref"].rpartition("/")[2]] if "$ref" in option else option
    return _keys(named.get("properties", {}))


def _keys(properties: dict[str, Any]) -> list[Key]:
    return [_key(name, schema) for name, schema in properties.items()]


def _key(name: str, schema: dict[str, Any]) -> Key:
    values = [value for one in _options(schema) for value in one.get("enum", [])]
    if schema.get("type") == "boolean":
        values = ["true", "false"]
    key = {"key": name, "info": schema.get("description", ""), "values": [str(value) for value in values]}
    return {what: told for what, told in key.items() if told}


def _models() -> list[str]:
    return [name for name, model in model_table().models.items() if model.lifecycle == "active"]


def written() -> str:
    """Return the file's content."""
    return json.dumps(recipe_keys(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(written(), encoding="utf-8")
