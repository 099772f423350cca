"""Faults find their line in the editor, and where the message knows better, a click fixes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchdrop.cli.ui.trying.faults import Fix
from batchdrop.cli.ui.trying.judging import faults_in, judged
from tests.project import ROOT

REVIEWS = ROOT / "examples" / "reviews.csv"
GOOD = "model: claude-haiku-5-5\nmax_tokens: 64\nprompt: 'Classify: {{ review }}'\n"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """The recipe's place; nothing is saved there."""
    return tmp_path / "ask.yaml"


def test_each_fault_has_its_line(recipe: Path) -> None:
    """Several faults of one recipe; the folder of the draft is in none of them."""
    found = faults_in("modle: x\nprompt: '{{ review }}'\nlanes: live\n", recipe)
    assert [(one.line, one.column, one.fix) for one in found] == [
        (1, 1, Fix("Write model", find="modle", put="model")),
        (3, 1, Fix("Write lane", find="lanes", put="lane")),
        (0, 0, None),
    ]
    assert found[2].text == "missing required key `model`"
    assert not [one for one in found if "batchdrop-recipe" in one.text]


def test_a_fault_of_yaml(recipe: Path) -> None:
    """A value that YAML reads as a mapping: the fix is the quoted line."""
    [found] = faults_in("model: claude-haiku-5-5\nprompt: {{ review }}\n", recipe)
    assert (found.line, found.column) == (2, 10)
    assert found.fix == Fix("Quote it", line="prompt: '{{ review }}'")


def test_a_column_that_the_file_does_not_have(recipe: Path) -> None:
    """It is marked where the prompt names it."""
    found = judged(GOOD.replace("review", "revew"), recipe, REVIEWS, None)
    assert found.lanes == []
    [fault] = found.faults
    assert fault.text.startswith("the prompt uses column 'revew', which reviews.csv does not have")
    assert (fault.line, fault.column) == (3, 23)
    assert fault.fix == Fix("Write review", find="revew", put="review")


def test_findings_stand_at_their_key(recipe: Path) -> None:
    """An unknown model, and a cap that is too low."""
    [model] = judged(GOOD.replace("5-5", "5-6"), recipe, REVIEWS, None).faults
    assert (model.line, model.fix and model.fix.put) == (1, "claude-haiku-5-5")
    [cap] = judged(f"{GOOD}max_cost_usd: 0.0001\n", recipe, REVIEWS, None).faults
    assert "says max_cost_usd: 0.0001" in cap.text
    assert cap.line == 4
    constant = judged(GOOD.replace("{{ review }}", "it"), recipe, REVIEWS, None).faults[0]
    assert constant.line == 3


def test_what_a_good_recipe_costs(recipe: Path) -> None:
    """Both lanes with their bands, the job's own lane, the rejected rows, and the first row's prompt."""
    found = judged(GOOD, recipe, REVIEWS, None)
    assert found.faults == []
    [warning] = found.warnings
    assert (warning.line, warning.fix) == (3, Fix("Add on_empty: skip", append="on_empty: skip"))
    assert [one.lane for one in found.lanes] == ["batch", "live"]
    assert found.expected == found.lanes[0].expected
    assert all(one.low.startswith("$") and one.high.startswith("$") for one in found.lanes)
    assert (found.rows, found.rejected) == (300, 1)
    assert found.columns == ["id", "product", "stars", "review"]
    assert found.prompt[0][0] == "prompt"
    assert found.prompt[0][1].startswith("Classify: ")
    assert dict(found.facts)["new columns"] == "answer, _status, _error"


def test_the_companions_of_a_recipe_count(recipe: Path) -> None:
    """A schema file and own prices beside the recipe are found from its draft."""
    recipe.with_name("shape.json").write_text(
        '{"type":"object","properties":{"label":{"type":"string"}},"required":["label"],"additionalProperties":false}'
    )
    text = f"{GOOD}answer: {{schema: shape.json}}\n"
    assert "label" in dict(judged(text, recipe, REVIEWS, None).facts)["new columns"]
    [missing] = faults_in(text.replace("shape", "other"), recipe)
    assert missing.text.startswith("key 'answer.schema': other.json beside the recipe cannot be read")
