"""`escalate.when`: a small language of comparisons and statuses, parsed strictly and checked against the answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.escalation import escalation_rule
from batchdrop.answers.outcome import Outcome
from batchdrop.answers.shape import answer_shape
from batchdrop.errors import RecipeRejected
from batchdrop.recipe.recipe import Recipe, parse_recipe
from batchdrop.recipe.recipe_file import parse_recipe_file
from batchdrop.recipe.when import Comparison, Status, WhenInvalid, parse_when

ANSWER: dict[str, Any] = {
    "label": {"enum": ["good", "bad"]},
    "confidence": "number",
    "stars": "integer?",
    "sure": "boolean",
    "why": "string",
    "tags": {"list": "string"},
    "two words": "number",
}
VALUES = {
    "label": "good", "confidence": 0.5, "stars": 3, "sure": True, "why": "a", "tags": [], "two words": 1.0,
}  # fmt: skip


def _recipe(when: Any, **changes: Any) -> Recipe:
    fields = {"model": "claude-haiku-5-5", "prompt": "{{ x }}", "answer": ANSWER, **changes}
    return parse_recipe({**fields, "escalate": {"to": "claude-sonnet-5-5", "when": when}}, name="r.yaml")


def _met(when: Any, *, status: str = "answered", **values: Any) -> int | None:
    recipe = _recipe(when)
    rule = escalation_rule(recipe, answer_shape(recipe, name="r.yaml"))
    assert rule is not None
    fate: Any = "answered" if status == "answered" else "unusable"
    return rule.met_by(Outcome(fate, status, tuple({**VALUES, **values}.values()) if fate == "answered" else ()))


def _refused(when: Any, **changes: Any) -> str:
    with pytest.raises(RecipeRejected) as refused:
        answer_shape(_recipe(when, **changes), name="r.yaml")
    return str(refused.value)


@pytest.mark.parametrize(("when", "is_met"), [
    ("confidence < 0.8", True), ("confidence < 0.5", False), ("confidence <= 0.5", True), ("confidence > 1e-1", True),
    ("confidence >= 1", False), ("label == 'good'", True), ('label != "good"', False), ("sure == false", False),
    ("sure != false", True), ("stars == null", False), ("stars != null", True), ("stars < 4", True),
    ("`two words` == 1", True), ("why == 'a' and stars == 3", True), ("why == 'b' or stars == 3", True),
    ("label == 'bad' and (stars == 3 or sure == true)", False), ("(confidence < 0.8)", True), ("invalid", False),
])  # fmt: skip
def test_a_complete_answer_is_compared(*, when: str, is_met: bool) -> None:
    """With each operator and type; statuses are for answers that cannot be used."""
    assert (_met(when) is not None) == is_met


def test_a_null_is_in_no_order() -> None:
    """It is neither above nor below a number; only == and != see it."""
    assert _met("stars < 4", stars=None) is None
    assert _met("stars > 4", stars=None) is None
    assert _met("stars == null", stars=None) == 0
    assert _met("stars != 4", stars=None) == 0


def test_the_first_alternative_is_the_reason() -> None:
    """The parts of `or`, or the entries of a list."""
    when = ["confidence < 0.2 or label == 'good'", "refusal"]
    assert [one.text for one in parse_when(when)] == ["confidence < 0.2", "label == 'good'", "refusal"]
    assert _met(when) == 1
    assert _met(when, status="refusal") == 2
    assert _met(when, status="invalid") is None
    assert _met("confidence < 0.8", status="max_tokens") is None


@pytest.mark.parametrize(("when", "words"), [
    ("", "column 1: the end is not expected here; write a field"),
    ([], "it is empty; write a comparison"),
    ("confidence", "column 1: 'confidence' is not a status; compare it"),
    ("refusel", "did you mean 'refusal'?"),
    ("confidence = 0.8", "column 12: '=' is not an operator; compare with '=='"),
    ("confidence < .8", "column 14: '.8' is not a number"),
    ("confidence < 0..8", "column 14: '0..8' is not a number"),
    ("confidence < 80%", "column 16: '%' has no meaning here"),
    ("label == good", "column 10: 'good' is not expected here; write a number (0.8), a text in quotes, true, false or"),
    ("label == 'good", "column 10: the quote ' is not closed"),
    ("confidence < 0.8 label == 'good'", "column 18: 'label' is not expected here; write 'and' or 'or'"),
    ("(confidence < 0.8", "column 18: the end is not expected here; close the bracket"),
    ("confidence < 0.8)", "column 17: ')' is not expected here"),
    ("confidence < 0.8 and", "column 21: the end is not expected here"),
    ("0.8 > confidence", "column 1: '0.8' is not expected here; write a field"),
    ("__import__('os').system('x')", "column 1: '__import__' is not a status"),
    ("(" * 99 + "invalid", "use at most 20 brackets in brackets"),
])  # fmt: skip
def test_a_mistake_has_its_place(when: Any, words: str) -> None:
    """Where it is, what is wrong, and what to write instead."""
    with pytest.raises(WhenInvalid) as refused:
        parse_when(when)
    assert words in str(refused.value)
    with pytest.raises(RecipeRejected, match=r"key 'escalate\.when': "):
        _recipe(when)


@pytest.mark.parametrize(("when", "words"), [
    ("confidance < 0.8", "'confidance < 0.8', column 1: the answer has no field 'confidance'; did you mean 'confi"),
    ("label < 1", "'label' is not a number, so '<' cannot order it"),
    ("confidence < 'low'", "'<' needs a number, such as confidence < 0.8"),
    ("label == 'god'", "'label' is never 'god'; did you mean 'good'? (values: 'good', 'bad')"),
    ("sure == 1", "'sure' is never 1; compare it with true or false"),
    ("stars == 2.5", "'stars' is never 2.5; compare it with a whole number"),
    ("confidence == null", "'confidence' is never null; end its type with '?'"),
    ("stars < null", "null cannot be ordered"),
    ("tags == 'a'", "'tags' can be a list or an object"),
    ("invalid and confidence < 0.8", "column 1: an answer with the status invalid has no fields"),
])  # fmt: skip
def test_what_no_answer_can_meet_is_refused(when: str, words: str) -> None:
    """Before anything is sent."""
    assert words in _refused(when)


def test_a_text_answer_has_statuses_only() -> None:
    """It has no fields, and nothing makes it invalid."""
    answer_shape(_recipe(["refusal", "max_tokens"], answer=None), name="r.yaml")
    assert "the recipe has no 'answer', so there is no field 'confidence'" in _refused("confidence < 1", answer=None)
    assert "no answer can be invalid" in _refused(["invalid"], answer=None)


def test_the_recipes_line_and_column_are_named() -> None:
    """Those of the key, and the column in the condition."""
    text = b"model: claude-haiku-5-5\nprompt: '{{ x }}'\nescalate:\n  to: claude-opus-5-5\n  when: confidence < x\n"
    with pytest.raises(
        RecipeRejected, match=r"line 5, column 3: key 'escalate.when': 'confidence < x', column 14: 'x'"
    ):
        parse_recipe_file(text, name="r.yaml")


@pytest.mark.parametrize(("to", "words"), [
    ("claude-haiku-5-5", "it is the recipe's own model"), ("{{ m }}", "one model for all rows"), (" ", "one model"),
])  # fmt: skip
def test_the_other_model_is_another_model(to: str, words: str) -> None:
    """Not a template, and not the recipe's own."""
    fields = {"model": "claude-haiku-5-5", "prompt": "{{ x }}", "escalate": {"to": to, "when": "refusal"}}
    with pytest.raises(RecipeRejected, match=words):
        parse_recipe(fields, name="r.yaml")


def test_rows_with_their_own_model_are_not_escalated() -> None:
    """One of them might name the other model, and would be paid twice for nothing."""
    with pytest.raises(RecipeRejected, match="key 'escalate': each row has its own model"):
        _recipe("refusal", model="{{ model }}")


def test_the_output_names_the_model() -> None:
    """`_model` stands in the output of such a recipe, once, also where the recipe adds it itself."""
    names = answer_shape(_recipe("refusal", output={"add": ["cost"]}), name="r.yaml").columns.names
    assert [*names[-5:]] == ["_cost", "_model", "_status", "_error", "_raw"]
    twice = answer_shape(_recipe("refusal", output={"add": ["model"]}), name="r.yaml").columns.names
    assert twice.count("_model") == 1


@given(st.text(max_size=30) | st.lists(st.sampled_from(["(", ")", "or", "and", "a", "<", "0.8", "'x'", "null", "!="])))
def test_any_text_is_read_or_refused(when: str | list[str]) -> None:
    """Never another error; what is read is a condition."""
    text = when if isinstance(when, str) else " ".join(when)
    try:
        parsed = parse_when(text)
    except WhenInvalid:
        return
    assert all(one.text for one in parsed)


@given(
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.integers() | st.floats(0, 1e9).map(lambda x: round(x, 3))
)
def test_a_comparison_is_read_as_it_is_written(sign: str, value: float) -> None:
    """Field, operator and value, with or without spaces around the operator."""
    for text in (f"a {sign} {value}", f"a{sign}{value}"):
        [one] = parse_when(text)
        assert one.condition == Comparison("a", sign, value)
    assert parse_when("refusal")[0].condition == Status("refusal")
