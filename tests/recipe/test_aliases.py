"""YAML's aliases: convenient, and able to stand for more than any memory holds."""

from __future__ import annotations

import pytest
import yaml

from batchdrop.errors import RecipeRejected
from batchdrop.recipe.recipe import parse_recipe

BASE = "model: claude-haiku-5-5\nprompt: '{{ x }}'\n"
BOMB = "params:\n  metadata:\n    a0: &a0 [x, x]\n" + "".join(
    f"    a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (BOMB, "aliases .* stand for more than 1,000,000 values"),
        ("params: &p\n  metadata: *p\n", "an alias .* stands within its own anchor"),
        ("params: {a: " + "[" * 300 + "]" * 300 + "}\n", "nested more than 200 deep"),
    ],
)
def test_what_no_person_writes_is_refused_in_words(fields: str, told: str) -> None:
    """Before anything of it is written out."""
    with pytest.raises(RecipeRejected, match=told):
        parse_recipe(yaml.safe_load(BASE + fields), name="r.yaml")


def test_an_alias_may_be_used_again() -> None:
    """As YAML has it."""
    recipe = parse_recipe(yaml.safe_load(BASE + "params: {a: &a [1, 2], b: *a}\n"), name="r.yaml")
    assert recipe.params == {"a": [1, 2], "b": [1, 2]}
