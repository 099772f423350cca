"""What one row's template may cost: bounded in text and in steps, whatever the operation."""

from __future__ import annotations

import tracemalloc

import pytest

from batchdrop.errors import RecipeRejected, RowRejected
from batchdrop.requests.prompt import Prompt

LONG = "ab" * 500_000
BOMBS = [
    "{% set ns = namespace(t=x) %}{% for i in range(40) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}{{ ns.t }}",
    "{% set ns = namespace(t=x) %}{% for i in range(40) %}{% set ns.t = [ns.t, ns.t] | join %}{% endfor %}{{ ns.t }}",
    (
        "{% set ns = namespace(t=x) %}{% for i in range(40) %}{% set b %}{{ ns.t }}{{ ns.t }}{% endset %}"
        "{% set ns.t = b %}{% endfor %}{{ ns.t }}"
    ),
    "{{ x | replace('a', x) }}",
    "{{ x.replace('b', x) }}",
    "{{ x | indent(10000, true) | replace(' ', x) }}",
    "{{ x.split('a') | join(x) }}",
    "{{ x.join(x) }}",
    "{{ x.translate({97: x}) }}",
    "{{ x | map('center', 9999) | list }}",
    "{{ x | list | map('replace', 'a', x) | join }}",
    "{{ x | batch(1) | sum(start=[]) }}",
    "{% for i in range(100000) %}{% for j in range(9) %}" + "text " * 200 + "{% endfor %}{% endfor %}",
    "{% macro m(t) %}{{ t }}{{ t }}{% endmacro %}{{ m(m(m(m(m(m(m(m(x)))))))) }}",
    "{% for i in range(100000) %}{{ x | upper | length }}{% endfor %}",
    "{{ ([x] * 1000) | map('upper') | list | length }}",
    "{% for c in x %}{% for d in x %}{% endfor %}{% endfor %}",
]


@pytest.mark.parametrize("template", BOMBS)
def test_a_row_is_rejected_before_it_fills_the_memory(template: str) -> None:
    """Each of these makes a gigabyte, or has no end, of a megabyte of input."""
    prompt = Prompt(template, name="r")
    tracemalloc.start()
    try:
        with pytest.raises(RowRejected, match="cannot be filled with this row"):
            prompt.render({"x": LONG})
        assert tracemalloc.get_traced_memory()[1] < 600_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ x ~ 1 ~ none ~ true }}", "ab1true"),
        ("{{ [1, 2, 3] | sum }} {{ [1.5] | sum(start=1) }}", "6 2.5"),
        ("{{ [{'a': 1}, {'a': 2}] | sum(attribute='a') }}", "3"),
        ("{{ ['a', 'b'] | join('-') }} {{ '+'.join(['a', 'b']) }} {{ [1, 2] | join }}", "a-b a+b 12"),
        ("{{ x | replace('a', 'c') }} {{ 'aaa' | replace('a', 'b', 2) }} {{ x.replace('b', '') }}", "cb bba a"),
        ("{{ 'a\nb' | indent(2) }}", "a\n  b"),
        ("{{ x | map('upper') | list }} {{ x | select('eq', 'a') | first }}", '["A","B"] a'),
        ("{{ x.translate({97: 'z'}) }}", "zb"),
        ("{{ [3, 1] | sort | first }} {{ x | list | length }} {{ x | batch(1) | list | length }}", "1 2 2"),
    ],
)
def test_what_people_write_still_works(template: str, text: str) -> None:
    """The counting changes no result."""
    assert Prompt(template, name="r").render({"x": "ab"}) == text


@pytest.mark.parametrize(
    "deep", ["(" * 5_000 + "1" + ")" * 5_000, "1" + " + 1" * 20_000, "-" * 5_000 + "1", "[" * 900 + "]" * 900]
)
def test_an_expression_too_deep_is_refused_in_words(deep: str) -> None:
    """Not by Python's own limit."""
    with pytest.raises(RecipeRejected, match="nested too deeply"):
        Prompt("{{ " + deep + " }}", name="r.yaml")
