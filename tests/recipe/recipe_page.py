"""What docs/recipes.md shows: its YAML blocks, as whole recipes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```yaml( fragment)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REST = {"model": "claude-haiku-5-5"}


def whole(fragment: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe around a block that shows a part of one."""
    asks = {} if fragment.keys() & {"prompt", "messages"} else {"prompt": "{{ x }}"}
    return {**_REST, **asks, **fragment}


RECIPES: list[dict[str, Any]] = [
    whole(yaml.safe_load(text)) if is_fragment else yaml.safe_load(text) for is_fragment, text in _BLOCK.findall(PAGE)
]
