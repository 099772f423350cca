"""Write `docs/recipe.schema.json`, with which editors complete and check recipes: `python -m tools.recipe_schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from batchdrop.answers.fields import SCALARS
from batchdrop.recipe.recipe import FORBIDDEN_PARAMS, Recipe

PATH = Path(__file__).parents[1] / "docs" / "recipe.schema.json"

_SAID = {"type": "string", "pattern": r"\S"}
_OF_A_TYPE = {
    "optional": {"type": "boolean", "default": False, "description": "Whether the answer may leave the field empty."},
    "description": {"type": "string", "description": "The field's description for the model."},
}
_NO_TEMPLATE = {"not": {"type": "string", "pattern": r"\{[{%]"}}


def recipe_schema() -> dict[str, Any]:
    """Return the JSON schema of recipes, generated from the types that read them."""
    made = msgspec.json.schema(Recipe)
    defs: dict[str, Any] = made["$defs"]
    for each in defs.values():
        each["description"] = each["description"].partition("\n")[0]
        for key in each["properties"].values():
            _tidy(key)
    recipe = defs.pop("Recipe")
    _add_rules(recipe["properties"], defs)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **recipe,
        "title": "batchdrop recipe",
        "oneOf": [{"required": ["prompt"]}, {"required": ["messages"]}],
        "$defs": {**defs, "AnswerFields": _answer_fields(), "AnswerType": _answer_type()},
    }


def _tidy(key: dict[str, Any]) -> None:
    """Remove what recipes never contain: null, and defaults that are mappings of defaults."""
    options = [option for option in key.get("anyOf", []) if option != {"type": "null"}]
    if options:
        del key["anyOf"]
        key.update(options[0] if len(options) == 1 else {"anyOf": options})
    if isinstance(key.get("default", ""), (dict, type(None))):
        del key["default"]


def _add_rules(keys: dict[str, Any], defs: dict[str, Any]) -> None:
    """Add the rules that `recipe_rules` checks beside types, as far as a schema can express them."""
    for key in (
        keys["model"],
        keys["prompt"],
        defs["Turn"]["properties"]["content"],
        defs["Attach"]["properties"]["column"],
    ):
        key.update(_SAID)
    keys["messages"]["minItems"] = 1
    for option in keys["max_tokens"]["anyOf"]:
        option.update({"pattern": r"\{[{%]"} if option["type"] == "string" else {})
    keys["system"].update(_NO_TEMPLATE)
    defs["System"]["properties"]["text"].update(_SAID | _NO_TEMPLATE)
    keys["params"]["propertyNames"] = {"not": {"enum": sorted(FORBIDDEN_PARAMS)}}
    defs["Input"]["properties"]["delimiter"]["pattern"] = r'^([^"\r\n\u0000]|tab|\\t)$'
    defs["Output"]["properties"]["column"]["pattern"] = r"^\S([^\r\n\t]*\S)?$"
    defs["Output"]["properties"]["prefix"]["pattern"] = r"^$|^[^\r\n\t]*[^\s][^\r\n\t]*$"
    file = {"type": "string", "pattern": r"\.json$", "description": "A JSON schema beside the recipe."}
    keys["answer"].pop("type")
    keys["answer"]["anyOf"] = [
        _mapping({"schema": file}, required=["schema"]),
        {"$ref": "#/$defs/AnswerFields"},
    ]


def _answer_fields() -> dict[str, Any]:
    return {
        "title": "AnswerFields",
        "description": "The answer's fields, each with its type.",
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": r"^\S([^\r\n]*\S)?$"},
        "additionalProperties": {"$ref": "#/$defs/AnswerType"},
    }


def _answer_type() -> dict[str, Any]:
    """Return the schema of a field's type, which may contain other types."""
    values = {"type": "array", "minItems": 1, "uniqueItems": True}
    inner = {"$ref": "#/$defs/AnswerType"}
    scalars = [word + mark for word in SCALARS for mark in ("", "?")]
    of = {
        "type": {"enum": scalars, "description": "A simple type."},
        "enum": {
            "description": "The values allowed: all texts, or all numbers.",
            "anyOf": [{**values, "items": {"type": kind}} for kind in ("string", "number")],
        },
        "list": {"description": "A list of this type.", **inner},
        "object": {"description": "Fields within the field.", "$ref": "#/$defs/AnswerFields"},
    }
    return {
        "title": "AnswerType",
        "description": "A type, optional with a '?' after it; or a mapping with one of type, enum, list, object.",
        "anyOf": [
            {"enum": scalars},
            *(_mapping({key: schema, **_OF_A_TYPE}, required=[key]) for key, schema in of.items()),
        ],
    }


def _mapping(properties: dict[str, Any], *, required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def written() -> str:
    """Return the file's content."""
    return json.dumps(recipe_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(written(), encoding="utf-8")
