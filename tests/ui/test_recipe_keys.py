"""The editor's completion knows the keys of recipes as they are."""

from __future__ import annotations

from tools.recipe_keys import PATH, recipe_keys, written


def test_the_file_is_current() -> None:
    """`python -m tools.recipe_keys` writes it anew."""
    assert PATH.read_text(encoding="utf-8") == written()


def test_keys_have_their_place_and_their_values() -> None:
    """Keys of the recipe, of its mappings, and of a field of the answer."""
    keys = recipe_keys()
    own = {one["key"]: one for one in keys[""]}
    assert own["lane"]["values"] == ["auto", "batch", "live"]
    assert "claude-haiku-5-5" in own["model"]["values"]
    assert own["dedupe"]["values"] == ["true", "false"]
    assert {one["key"] for one in keys["sample"]} == {"rows", "random", "continue_under_usd", "lane"}
    assert {"enum", "description"} <= {one["key"] for one in keys["answer.*"]}
    assert "number?" in keys["answer"][-1]["values"]
