"""Prompts: strict, sandboxed, and every error told to the one who can mend it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.domain.prompt import Prompt, RowUnaskable
from batchdrop.errors import RecipeRejected
from tests.strategies import cells

NAME = "recipes/r.yaml"


def _render(source: str, **row: object) -> str:
    return Prompt(source, name=NAME).render(row)


def _reason(source: str, **row: object) -> str:
    with pytest.raises(RowUnaskable) as caught:
        _render(source, **row)
    return str(caught.value)


@given(cells())
def test_a_cell_stands_in_the_prompt_as_it_is(cell: str) -> None:
    """No cell is escaped, stripped, or taken for a template."""
    assert _render("<{{ x }}>", x=cell) == f"<{cell}>"


@given(cells())
def test_columns_with_odd_names_are_reached_by_row(name: str) -> None:
    """`row["any name"]` reaches columns that are no identifiers."""
    assert Prompt("{{ row[row.keys() | first] }}!", name=NAME).render({name: "v"}) == "v!"


def test_templates_have_their_logic() -> None:
    """Filters, conditions and loops work."""
    assert _render("{% if n | int > 2 %}{{ t | upper }}{% endif %}", n="3", t="ok") == "OK"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ x.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ x['__class__'] }}",
        "{{ x|attr('__class__') }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ lipsum.__globals__ }}",
        "{{ ''.format.__globals__ }}",
        "{{ '{0.__class__}'.format(x) }}",
        "{{ (x|string|map('upper')).gi_frame }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}{{ os }}",
        "{{ range(10000000) | list }}",
    ],
)
def test_templates_do_not_reach_python(source: str) -> None:
    """Every known way out of the sandbox makes the row unaskable, and puts nothing of Python into a prompt."""
    assert _reason(source, x="cell").startswith("the prompt")


def test_a_row_without_the_field_says_what_it_has() -> None:
    """A JSON line without the field is told by name, with the fields it has."""
    reason = _reason("{{ text }}", id="1", body="b")
    assert "'text'" in reason
    assert "(columns: id, body)" in reason


@pytest.mark.parametrize("source", ["{{ row.text }}", "{{ row['text'] }}", "{{ x.y.z }}"])
def test_nothing_undefined_is_printed(source: str) -> None:
    """What is not there never becomes an empty place in a prompt."""
    assert "does not have" in _reason(source, x="1")


@pytest.mark.parametrize("source", ["{{ x }}", " {{ x }}\n", "{% if x == 'y' %}ask{% endif %}"])
@pytest.mark.parametrize("blank", ["", "  ", "\n\t", "\u3000"])
def test_a_blank_prompt_is_unaskable(source: str, blank: str) -> None:
    """The API refuses empty messages, so they are not sent."""
    assert "blank" in _reason(source, x=blank)


@pytest.mark.parametrize("source", ["{{ 1 // (n | int) }}", "{{ n | round }}", "{{ n + 1 }}", "{{ n() }}"])
def test_what_a_template_cannot_do_with_a_row_is_the_rows_fault(source: str) -> None:
    """Any error while rendering rejects this row, with its kind."""
    assert "cannot be filled with this row (" in _reason(source, n="0")


@pytest.mark.parametrize(
    "source", ["{{ x", "{% if %}", "{% for %}", "{{ x | no_such_filter }}", "{{ x is no_such_test }}", "a\nb {{ 1 + }}"]
)
def test_a_broken_template_is_the_recipes_fault(source: str) -> None:
    """A template that does not compile is refused at once, with key and line."""
    with pytest.raises(RecipeRejected, match=r"^recipes/r\.yaml: key 'prompt', line \d+: ."):
        Prompt(source, name=NAME)


def test_the_line_of_a_template_error_is_the_prompts_own() -> None:
    """The line counts from the prompt's first."""
    with pytest.raises(RecipeRejected, match="line 3"):
        Prompt("a\nb\n{{ 1 + }}", name=NAME)


def test_missing_columns_are_told_before_the_first_row() -> None:
    """The header is checked against the prompt once, and the message says what both have."""
    prompt = Prompt("{{ text }} {{ id }}", name=NAME)
    with pytest.raises(RecipeRejected) as caught:
        prompt.check_columns(["id", "body"], filename="reviews.csv")
    assert str(caught.value) == (
        "recipes/r.yaml: the prompt asks for column 'text', which reviews.csv does not have (columns: id, body). "
        "Fix the recipe's prompt or the header."
    )


@pytest.mark.parametrize(
    "source",
    ["{{ id }}", "{% set y = id %}{{ y }}", "{% for c in id %}{{ c }}{{ loop.index }}{% endfor %}", "{{ row }}"],
)
def test_what_a_template_makes_itself_is_no_column(source: str) -> None:
    """Loop variables, `set` and `row` are not looked for in the header."""
    Prompt(source, name=NAME).check_columns(["id"], filename="f.csv")


@given(st.dictionaries(st.sampled_from(["a", "b", "row_", "name", "items", "keys"]), cells(), min_size=1))
def test_a_columns_value_wins_over_pythons_names(row: dict[str, str]) -> None:
    """Columns named like a dict's methods give their cells."""
    source = "".join(f"<{{{{ {name} }}}}>" for name in row)
    assert Prompt(source, name=NAME).render(row) == "".join(f"<{cell}>" for cell in row.values())
