"""The truth that a file's own columns hold: how it is read, and which recipes are refused."""

from __future__ import annotations

from typing import Any

import pytest

from batchdrop.answers.gold import GoldField, TruthUnreadable, is_right
from batchdrop.answers.shape import answer_shape
from batchdrop.errors import RecipeRejected
from batchdrop.recipe.recipe import parse_recipe
from batchdrop.requests.request import RecipeRequests
from batchdrop.requests.row import Cursor, Row, Unusable

ANSWER = {
    "label": {"enum": ["good", "bad"]},
    "urgent": "boolean",
    "stars": "integer?",
    "score": "number",
    "why": "string",
    "topics": {"list": "string"},
    "level": {"enum": [1, 2, 3]},
}


def _recipe(**fields: object) -> Any:
    return parse_recipe({"model": "claude-haiku-5-5", "prompt": "rate {{ x }}", **fields}, name="r.yaml")


def _requests(**fields: object) -> RecipeRequests:
    recipe = _recipe(**fields)
    return RecipeRequests(recipe, answer_shape(recipe, name="r.yaml"), name="r.yaml", attach=lambda *_: {})


def _field(name: str) -> GoldField:
    [field] = answer_shape(_recipe(answer=ANSWER, gold={name: "truth"}), name="r.yaml").gold
    return field


@pytest.mark.parametrize(
    ("field", "cell", "truth"),
    [
        ("label", " good ", "good"),
        ("urgent", "TRUE", "true"),
        ("urgent", False, "false"),
        ("stars", "4", 4.0),
        ("stars", 4.0, 4.0),
        ("score", "1e-1", 0.1),
        ("why", " taste ", "taste"),
        ("level", 2, "2"),
        ("level", 2.0, "2"),
    ],
)
def test_a_truth_is_read_as_its_field(field: str, cell: object, truth: object) -> None:
    """Cells of all formats: texts, numbers of a spreadsheet, booleans."""
    assert _field(field).truth(cell) == truth


@pytest.mark.parametrize("cell", [None, "", "  \t"])
def test_an_empty_cell_is_no_truth(cell: object) -> None:
    """For every kind of field."""
    assert [_field(name).truth(cell) for name in ("label", "stars", "why")] == [None, None, None]


@pytest.mark.parametrize(
    ("field", "cell", "reason"),
    [
        ("label", "god", "column 'truth' has 'god', but 'label' is one of good, bad; did you mean 'good'?"),
        ("urgent", "1", "column 'truth' has '1', but 'urgent' is one of true, false"),
        ("stars", "four", "column 'truth' has 'four', but 'stars' is a number"),
        ("score", "nan", "column 'truth' has 'nan', but 'score' is a number"),
        ("why", Unusable("the cell is #REF!"), "column 'truth': the cell is #REF!"),
    ],
)
def test_a_cell_of_another_type_says_why(field: str, cell: object, reason: str) -> None:
    """The message names the column, the value and the values that are right."""
    with pytest.raises(TruthUnreadable) as refused:
        _field(field).truth(cell)
    assert str(refused.value) == reason


def test_numbers_agree_as_they_are_written() -> None:
    """A number that was written and read again is the same; a missing answer is wrong."""
    assert is_right(0.1 + 0.2, 0.3)
    assert not is_right(0.3, 0.31)
    assert not is_right(0.3, None)
    assert is_right("good", "good")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"gold": {"lable": "t"}, "answer": ANSWER}, "key 'gold.lable': the answer has no field 'lable'; did you mean"),
        ({"gold": {"topics": "t"}, "answer": ANSWER}, "key 'gold.topics': 'topics' is a list or an object"),
        ({"gold": {"label": "t"}}, "the answer is one text, in the column 'answer'; write 'gold: {answer: t}'"),
        ({"gold": {"label": " "}, "answer": ANSWER}, "key 'gold.label': it is empty; name the column"),
        ({"gold": {"answer": "t"}, "input": "files"}, "key 'gold': a dropped file has no column with the truth"),
        (
            {"gold": {"answer": "t"}, "attach": {"column": "t", "as": "image"}},
            "key 'attach': it uses column 't', which 'gold' names as the truth",
        ),
        (
            {"gold": {"answer": "t"}, "prompt": "rate\n{{ x }}\nnot {{ t }}"},
            "r.yaml: key 'prompt', line 3: it uses column 't', which 'gold' names as the truth",
        ),
        (
            {"gold": {"answer": "my truth"}, "prompt": 'rate\n{{ row["my truth"] }}'},
            "key 'prompt', line 2: it uses column 'my truth'",
        ),
        ({"gold": {"answer": "t"}, "model": "{{ t }}"}, "key 'model', line 1: it uses column 't'"),
    ],
)
def test_a_recipe_that_cannot_be_compared_or_tells_the_truth_is_refused(fields: dict[str, Any], message: str) -> None:
    """Before anything is sent, with the key and the place."""
    with pytest.raises(RecipeRejected) as refused:
        _requests(**fields)
    assert message in str(refused.value)


def test_a_missing_column_is_refused() -> None:
    """With the nearest of the header."""
    requests = RecipeRequests(_recipe(gold={"answer": "expected"}), name="r.yaml")
    with pytest.raises(RecipeRejected, match=r"key 'gold.answer': f.csv has no column 'expected'; did you mean"):
        requests.check_columns(["x", "expect"], filename="f.csv")


@pytest.mark.parametrize(
    "prompt",
    ["{{ row }}", "{% for name in row %}{{ row[name] }} {% endfor %}", "{{ row.values()|list }}", "{{ row|tojson }}"],
)
def test_a_prompt_that_reads_the_whole_row_does_not_see_the_truth(prompt: str) -> None:
    """However it reads the row."""
    requests = RecipeRequests(_recipe(prompt=prompt, gold={"answer": "t"}), name="r.yaml")
    row = Row("raw", Cursor(), {"x": "seen", "t": "secret"})
    sent = requests.request(row).params
    assert b"seen" in sent
    assert b"secret" not in sent
    assert requests.requests([row]) is None
