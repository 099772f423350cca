"""A recipe's file: every fault at once, each with its line and column, and YAML's mistakes in a writer's words."""

from __future__ import annotations

from contextlib import suppress
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.errors import RecipeRejected
from batchdrop.recipe.recipe_file import parse_recipe_file

NAME = "mine/ask.yaml"

# A file, the place of its mistake, and what its writer is told.
MISTAKES = [
    ("model: m\n\tprompt: x\n", "line 2, column 1", "use spaces, not tabs"),
    ("model: m\nprompt: {{ review }}\n", "line 2, column 10", "is quoted: prompt: '{{ review }}'"),
    ("prompt: {{ a }} or {{ b }}\nmodel: m\n", "line 1, column 17", "is quoted: prompt: '{{ a }} or {{ b }}'"),
    ("model: m\nprompt: @home\n", "line 2, column 9", "begins with a sign that YAML reads; quote it"),
    ("prompt: *x\n", "line 1, column 9", "begins with a sign that YAML reads; quote it"),
    ("prompt: Classify: good or bad\n", "line 1, column 17", "holds a second ': '"),
    ("model: m\nprompt\nlane: batch\n", "line 2, column 1", "has no ': ' after its key"),
    ("prompt: 'it's'\nmodel: m\n", "line 1, column 13", "quote the whole value, and write its own quotes twice"),
    ('model: m\nprompt: "abc\nlane: x\n', "line 2, column 9", "the closing quote is missing"),
    ("answer: {label: {enum: [a, b}\nmodel: x", "line 1, column 29", "a closing bracket or a comma is missing"),
    ("model: m\nprompt: |\n  a\n b\n", "line 4, column 2", "not indented like those above"),
    ("model: m\nprompt: x\nmodel: n\n", "line 3, column 1", "key 'model' is there twice, first in line 1; remove one"),
]


def _refusal(text: str) -> str:
    with pytest.raises(RecipeRejected) as caught:
        parse_recipe_file(text.encode(), name=NAME)
    return str(caught.value)


@pytest.mark.parametrize(("text", "place", "told"), MISTAKES)
def test_mistakes_of_yaml_are_explained(text: str, place: str, told: str) -> None:
    """PyYAML speaks of tokens and scalars."""
    said = _refusal(text)
    assert said.startswith(f"{NAME}: {place}: ")
    assert told in said


def test_all_faults_are_named_at_once() -> None:
    """Unknown keys and wrong types; each on a line of its own."""
    text = """\
    model: claude-haiku-5-5
    promt: x
    messages:
      - {role: user, content: a}
      - {role: robot, content: b}
    input: {skp: 3}
    max_rounds: many
    """
    first, *faults = _refusal(dedent(text)).splitlines()
    assert first == f"{NAME}: 4 faults"
    assert [fault[: fault.index("'", fault.index("'") + 1) + 1] for fault in faults] == [
        "  line 2, column 1: unknown key 'promt'",
        "  line 6, column 9: unknown key 'input.skp'",
        "  line 5, column 6: key 'messages[1].role'",
        "  line 7, column 1: key 'max_rounds'",
    ]


def test_all_broken_rules_are_named_at_once() -> None:
    """They need right types first."""
    said = _refusal("model: ' '\nprompt: p\nparams: {stream: true, top_p: 1}\noutput: {column: ' a'}\n")
    assert [line.split(":")[1].strip() for line in said.splitlines()[1:]] == [
        "key 'model'", "key 'params.stream'", "key 'params.top_p'", "key 'output.column'",
    ]  # fmt: skip
    assert "line 3, column 10: key 'params.stream'" in said


def test_one_fault_is_one_line() -> None:
    """A key that is missing has no place."""
    assert _refusal("prompt: p\n") == f"{NAME}: missing required key `model`"
    assert _refusal("model: m\nprompt: p\nlane: fast\n").startswith(f"{NAME}: line 3, column 1: key 'lane': unknown")


def test_a_key_behind_an_alias_has_the_place_where_it_is_written() -> None:
    """Which is that of the anchor."""
    said = _refusal("model: m\nprompt: p\noutput: &o {column: ' a'}\ninput: *o\n")
    assert said.startswith(f"{NAME}: line 3, column 13: unknown key 'input.column'")


@given(st.text(max_size=200))
def test_any_text_is_a_recipe_or_refused(text: str) -> None:
    """Never another error."""
    with suppress(RecipeRejected):
        parse_recipe_file(text.encode(errors="surrogatepass"), name=NAME)
