"""Prompts: strict, sandboxed, and every error names its fix."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.errors import RecipeRejected, RowRejected
from batchdrop.requests.prompt import Prompt, expression
from tests.strategies import cells

NAME = "recipes/r.yaml"


def _render(source: str, **row: object) -> str:
    return Prompt(source, name=NAME).render(row)


def _reason(source: str, **row: object) -> str:
    with pytest.raises(RowRejected) as caught:
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


@given(cells())
def test_every_column_has_an_expression(name: str) -> None:
    """Also a name that is a word of Jinja's, or has quotes or control characters."""
    for column in (name, "row", "if", "none", "range", 'a "b" \\c', "a\x07b\x85", "Größe"):
        assert _render(expression(column), **{column: "v"}) == "v"


def test_rows_are_filled_at_once_where_names_are_odd() -> None:
    """Unless `row` is a column itself: then it is that cell."""
    prompt = Prompt('{{ row["Customer ID"] }} {{ x }}', name=NAME)
    assert prompt.render_all([{"Customer ID": "7", "x": None}, {"Customer ID": 8, "x": True}]) == ["7 ", "8 true"]
    assert prompt.render_all([{"Customer ID": "7", "x": "", "row": "a"}]) is None


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ Customer ID }}", "got 'ID'. A column's name that is not one word is written {{ row[\"Customer ID\"] }}"),
        ("{{ 3rd | upper }}", "got 'rd'. A column's name that is not one word is written {{ row[\"3rd\"] }}"),
        ("{{ (a b }}", "expected token ')', got 'b'"),
    ],
)
def test_a_name_of_several_words_is_explained(source: str, expected: str) -> None:
    """Jinja's own message speaks of tokens."""
    with pytest.raises(RecipeRejected) as caught:
        Prompt(source, name=NAME)
    assert str(caught.value).endswith(expected)


def test_a_name_with_a_slash_is_explained_where_the_file_has_it() -> None:
    """It could be a division as well."""
    with pytest.raises(RecipeRejected, match=r'the header\. A column\'s name .* is written {{ row\["a/b"\] }}$'):
        Prompt("{{ a/b }}", name=NAME).check_columns(["a/b", "c"], filename="f.csv", advice=" Else this.")
    with pytest.raises(RecipeRejected, match=r"the header\. Else this\.$"):
        Prompt("{{ a/b }}", name=NAME).check_columns(["b", "c"], filename="f.csv", advice=" Else this.")


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
        "{{ ''['__class__'] }}",
        "{{ '{x.__class__}'.format_map({'x': x}) }}",
        "{{ 'x'.format.__self__.__class__ }}",
        "{{ (x|attr('format'))|attr('__globals__') }}",
        "{{ self._TemplateReference__context }}",
        "{{ row.__class__ }}{{ row['__class__'] }}",
        "{{ namespace.__init__ }}",
        "{{ dict.__base__.__subclasses__() }}",
        "{{ range.__globals__ }}",
        "{% set a = namespace() %}{{ a.__class__ }}",
        "{{ [x]|sum(attribute='__class__') }}",
        "{% for c in ''.__class__.__mro__ %}{{ c }}{% endfor %}",
        "{{ joiner.__init__ }}",
        "{% extends 'x' %}",
    ],
)
def test_templates_do_not_reach_python(source: str) -> None:
    """Every known way out of the sandbox makes the row unaskable, and puts nothing of Python into a prompt."""
    assert _reason(source, x="cell").startswith("the prompt")


@pytest.mark.parametrize("chosen", ["map(attribute='__class__')", "map('attr', '__class__')", "groupby('__class__')"])
def test_filters_that_take_attributes_find_none_of_pythons(chosen: str) -> None:
    """They are given what is undefined, not the class."""
    assert "SecurityError" in _reason(f"{{{{ [x] | {chosen} | list }}}}", x="cell")


def test_a_row_without_the_field_says_what_it_has() -> None:
    """A JSON line without the field is told by name, with the fields it has."""
    reason = _reason("{{ text }}", id="1", body="b")
    assert "'text'" in reason
    assert "(columns: id, body)" in reason


@pytest.mark.parametrize("source", ["{{ row.text }}", "{{ row['text'] }}", "{{ x.y.z }}"])
def test_nothing_undefined_is_printed(source: str) -> None:
    """What is not there never becomes an empty place in a prompt."""
    assert "the row lacks" in _reason(source, x="1")


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


def test_missing_columns_are_reported_before_the_first_row() -> None:
    """The header is checked against the prompt once, and the message says what both have."""
    prompt = Prompt("{{ text }} {{ id }}", name=NAME)
    with pytest.raises(RecipeRejected) as caught:
        prompt.check_columns(["id", "body"], filename="reviews.csv")
    assert str(caught.value) == (
        "recipes/r.yaml: the prompt uses column 'text', which reviews.csv does not have (columns: id, body). "
        "Fix the recipe's prompt or the header."
    )


@pytest.mark.parametrize(
    "source",
    ["{{ id }}", "{% set y = id %}{{ y }}", "{% for c in id %}{{ c }}{{ loop.index }}{% endfor %}", "{{ row }}"],
)
def test_what_a_template_makes_itself_is_not_a_column(source: str) -> None:
    """Loop variables, `set` and `row` are not looked for in the header."""
    Prompt(source, name=NAME).check_columns(["id"], filename="f.csv")


@given(st.dictionaries(st.sampled_from(["a", "b", "row_", "name", "items", "keys"]), cells(), min_size=1))
def test_a_columns_value_wins_over_pythons_names(row: dict[str, str]) -> None:
    """Columns named like a dict's methods give their cells."""
    source = "".join(f"<{{{{ {name} }}}}>" for name in row)
    assert Prompt(source, name=NAME).render(row) == "".join(f"<{cell}>" for cell in row.values())


@pytest.mark.parametrize(
    "source",
    [
        "{{ x * 10 ** 9 }}",
        "{{ 10 ** 9 * [x] }}",
        "{{ 'x' * 1000000000 }}",
        "{{ 2 ** 10000000 }}",
        "{{ 10 ** 1000 * 10 ** 1000 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%*d' % (1000000000, 1) }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ '{:{}}'.format(1, 1000000000) }}",
        "{{ x.ljust(1000000000) }}",
        "{{ x.zfill(1000000000) }}",
        "{{ x | center(1000000000) }}",
        "{{ x | indent(1000000000) }}",
        "{{ [x] | batch(1000000000, 'y') | list }}",
        "{{ [x] | slice(1000000000) | list }}",
        "{{ 1 | round(100000000, 'ceil') }}",
        "{{ range(1000000000) | join }}",
        "{{ lipsum(1000000) }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}x",
        "{% set t = namespace(x=x) %}{% for a in range(99) %}{% set t.x = t.x + t.x %}{% endfor %}x",
        "{% set t = namespace(x=9) %}{% for a in range(99) %}{% set t.x = t.x * t.x %}{% endfor %}x",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}x",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    ],
)
@pytest.mark.timeout(20)
def test_templates_do_not_hang_or_fill_the_memory(source: str) -> None:
    """What would take minutes or gigabytes makes the row unaskable at once."""
    assert _reason(source, x="cell").startswith("the prompt")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ '%05.2f' % (n | float) }}", "03.50"),
        ("{{ '{:>8}'.format(n) }}", "     3.5"),
        ("{{ 'Name: {} at: {}'.format(n, n) }}", "Name: 3.5 at: 3.5"),
        ("{{ '100%% of 12345 %s' % n }}", "100% of 12345 3.5"),
        ("{{ n.find('x', 99999) }}", "-1"),
        ("{{ '-' * 20 }}", "-" * 20),
        ("{{ 2 ** 10 + 1 }} {{ 7 % 3 }} {{ [1] + [2] }}", "1025 1 [1,2]"),
        ("{% for c in n %}{{ loop.index }}/{{ loop.length }}{{ c }} {% endfor %}", "1/33 2/3. 3/35 "),
        ("{% for c in n %}{% if loop.last %}{{ c }}{% endif %}{% else %}none{% endfor %}", "5"),
        ("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(n) }}{{ m(a=1) }}", "<3.5><1>"),
        ("{{ dict(context=n).context }}", "3.5"),
        ("{{ 'abcdefghij klm' | truncate(8) }}", "abcde..."),
        ("{{ n | indent(4, first=true) }}|{{ n | center(7) }}|{{ 2.345 | round(2) }}", "    3.5|  3.5  |2.35"),
        ("{{ row.n }}{{ row['n'] }}{{ row | length }}", "3.53.51"),
    ],
)
def test_what_prompts_need_stays(source: str, text: str) -> None:
    """The limits do not touch ordinary templates."""
    assert _render(source, n="3.5") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.50"), "1.50"),
        ("é<'\"", '"é<\'\\""'),
        ({"a": [1, None, 2.5]}, '{"a":[1,null,2.5]}'),
        ([True], "[true]"),
        ("\u2028", '"\u2028"'),
    ],
)
def test_json_is_compact_and_keeps_characters(value: object, text: str) -> None:
    """`json` writes a cell, a list or the whole row as JSON, without escapes for HTML."""
    assert _render("{{ x | json }}", x=value) == text
    assert _render("{{ row | json }}", x=value) == f'{{"x":{text}}}'


def test_json_of_what_is_not_there_says_so() -> None:
    """Strict as everything else."""
    assert "the row lacks" in _reason("{{ y | json }}", x="1")


CELLS = st.dictionaries(
    st.sampled_from(["a", "b"]), cells() | st.none() | st.integers() | st.lists(st.booleans()), min_size=2
)


@given(st.lists(st.sampled_from(["{{ a }}", "{{b}}", " t ", "\n", "{# c #}", "{%- raw %}{{ a }}{% endraw %}"])), CELLS)
def test_plain_templates_are_joined_as_they_would_be_rendered(parts: list[str], row: dict[str, object]) -> None:
    """The short way of templates that only name columns gives what Jinja gives."""
    prompt = Prompt("<" + "".join(parts), name=NAME)
    assert prompt._filled(row) == prompt._rendered(row) == prompt.render(row)


@pytest.mark.parametrize(
    ("source", "constant"), [("Hi", True), ("{{ 1 + 1 }}", True), ("{{ x }}", False), ("{{ row }}", False)]
)
def test_constant_prompts_are_known(source: str, *, constant: bool) -> None:
    """Those that no row changes are rendered once."""
    assert Prompt(source, name=NAME).is_constant is constant


@pytest.mark.parametrize("template", ["{{ x }}.", "{{ x | trim }}.", '{{ row["x"] }}.'])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        (True, "true"),
        (False, "false"),
        (5, "5"),
        (0.5, "0.5"),
        (["a", None, True], '["a",null,true]'),
        ({"a": "é"}, '{"a":"é"}'),
    ],
)
def test_values_are_spelled_as_in_json(template: str, value: object, text: str) -> None:
    """In every form of a template; nothing stands for what is missing, in each format."""
    if "trim" in template and not isinstance(value, str):
        return  # a filter of text makes a text of its own
    prompt = Prompt(template, name="r")
    assert prompt.render({"x": value}) == text + "."
    assert prompt.render_all([{"x": value}, {"x": "a"}]) in (None, [text + ".", "a."])


@pytest.mark.parametrize("value", [None, ""])
def test_a_default_stands_for_what_is_empty(value: object) -> None:
    """Also for null: a CSV cannot tell it from an empty cell. Zero and false are values."""
    prompt = Prompt('{{ x | default("none") }} {{ x | d(7) }}', name="r")
    assert prompt.render({"x": value}) == "none 7"
    assert prompt.render({"x": False}) == "false false"
    assert prompt.render({"x": 0}) == "0 0"
    assert Prompt('{{ y | default("none") }}', name="r").render({}) == "none"


def test_rows_of_empty_values_are_blank() -> None:
    """The rule for blank prompts holds whatever the format calls empty."""
    with pytest.raises(RowRejected, match="the prompt is blank for this row"):
        Prompt("{{ x }} {{ y }}", name="r").render({"x": None, "y": ""})
