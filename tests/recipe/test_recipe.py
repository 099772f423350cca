"""Recipes: every error names the recipe, the key, and where there is one the nearest known key."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.errors import RecipeRejected
from batchdrop.recipe.recipe import (
    DEFAULT_ROUNDS,
    FORBIDDEN_PARAMS,
    MAX_ROUNDS,
    Attach,
    Input,
    Output,
    Recipe,
    Retry,
    System,
    Turn,
    parse_recipe,
)
from batchdrop.recipe.rules import USUAL_ENCODINGS, delimiter_of, is_text_encoding

NAME = "recipes/r.yaml"
GOOD: dict[str, Any] = {"model": "claude-haiku-5-5", "prompt": "Say {{ x }}"}


def _refusal(fields: object) -> str:
    with pytest.raises(RecipeRejected) as caught:
        parse_recipe(fields, name=NAME)
    return str(caught.value)


def test_two_keys_are_enough() -> None:
    """Model and prompt make a recipe; the rest has defaults."""
    assert parse_recipe(GOOD, name=NAME) == Recipe(model="claude-haiku-5-5", prompt="Say {{ x }}", max_tokens=1024)


def test_every_key_is_taken() -> None:
    """All keys come through as they are, `params` too."""
    fields = {
        **GOOD,
        "max_tokens": 9,
        "system": "s",
        "params": {"metadata": {"user_id": "u"}, "stop_sequences": ["."]},
        "lane": "batch",
        "on_bad_row": "stop",
    }
    recipe = parse_recipe(fields, name=NAME)
    assert {name: getattr(recipe, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("modle", "model"),
        ("max_token", "max_tokens"),
        ("promt", "prompt"),
        ("on_badrow", "on_bad_row"),
        ("sytem", "system"),
        ("param", "params"),
        ("Lane", "lane"),
    ],
)
def test_a_typo_names_the_nearest_key(typo: str, meant: str) -> None:
    """An unknown key is named together with the known one that was probably meant."""
    text = _refusal({**GOOD, typo: "x"})
    assert f"unknown key '{typo}'; did you mean '{meant}'?" in text
    assert text.startswith(NAME)


@given(st.text(max_size=20).filter(lambda key: key not in Recipe.__struct_fields__) | st.integers() | st.none())
def test_any_unknown_key_is_named(key: object) -> None:
    """Whatever the key, it is named, and all known keys with it."""
    text = _refusal(dict[object, object](GOOD) | {key: 1})
    assert f"unknown key '{key}'" in text
    assert all(known in text for known in Recipe.__struct_fields__)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"model": 5}, "model"),
        ({"model": " "}, "model"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": ["a"]}, "prompt"),
        ({"system": 1}, "system"),
        ({"params": []}, "params"),
        ({"params": {1: 2}}, "params"),
        ({"lane": "fast"}, "lane"),
        ({"live_rows": -1}, "live_rows"),
        ({"on_bad_row": "ignore"}, "on_bad_row"),
    ],
)
def test_a_wrong_value_names_its_key(change: dict[str, Any], named: str) -> None:
    """A value of the wrong kind or range says which key is meant."""
    text = _refusal({**GOOD, **change})
    assert text.startswith(f"{NAME}: ")
    assert named in text


@pytest.mark.parametrize("missing", ["model", "prompt"])
def test_a_missing_key_is_named(missing: str) -> None:
    """What must be there is asked for by name."""
    text = _refusal({name: value for name, value in GOOD.items() if name != missing})
    assert "missing" in text
    assert f"`{missing}`" in text


@pytest.mark.parametrize("param", FORBIDDEN_PARAMS)
def test_params_that_the_api_refuses_are_named(param: str) -> None:
    """A parameter that would fail every row is refused before anything is spent, with its reason."""
    text = _refusal({**GOOD, "params": {param: 1}})
    assert f"'params.{param}'" in text
    assert FORBIDDEN_PARAMS[param] in text


@pytest.mark.parametrize(("fields", "kind"), [(None, "empty"), ([], "a list"), ("x", "text"), (5, "a number")])
def test_what_is_not_a_mapping_is_refused(fields: object, kind: str) -> None:
    """An empty file or a list is told what a recipe is."""
    text = _refusal(fields)
    assert "a recipe must be a mapping" in text
    assert text.endswith(kind)


@pytest.mark.parametrize("duration", ["6", "6 hours", "0h", "-1h", "h", "1w"])
def test_a_duration_says_its_unit(duration: str) -> None:
    """And there is something of it."""
    told = _refusal({**GOOD, "finish_within": duration})
    assert "key 'finish_within'" in told
    assert "write 90s, 30m, 6h or 1d" in told


@pytest.mark.parametrize("rounds", [1, DEFAULT_ROUNDS, MAX_ROUNDS])
def test_rounds_are_taken(rounds: int) -> None:
    """From one, which asks nothing again, to the most."""
    assert parse_recipe({**GOOD, "max_rounds": rounds}, name=NAME).max_rounds == rounds


@pytest.mark.parametrize("rounds", [0, -1, MAX_ROUNDS + 1, "3", 2.5, None, True])
def test_rounds_out_of_bounds_are_refused(rounds: object) -> None:
    """The message names the key."""
    assert _refusal({**GOOD, "max_rounds": rounds}).startswith(f"{NAME}: key 'max_rounds': ")


def test_rounds_and_retry_have_defaults() -> None:
    """Three rounds, and no paid answer is asked again unless the recipe says so."""
    recipe = parse_recipe(GOOD, name=NAME)
    assert (recipe.max_rounds, recipe.retry) == (DEFAULT_ROUNDS, Retry())
    assert parse_recipe({**GOOD, "retry": {}}, name=NAME).retry.max_tokens is None
    assert parse_recipe({**GOOD, "retry": {"max_tokens": "x2"}}, name=NAME).retry.max_tokens == "x2"


@pytest.mark.parametrize("retry", [{"max_tokens": "x3"}, {"max_tokens": 2}, {"refusal": "x2"}, "x2", None, ["x2"]])
def test_any_other_retry_is_refused(retry: object) -> None:
    """What would cost money again is not guessed at."""
    text = _refusal({**GOOD, "retry": retry})
    assert text.startswith(NAME)
    assert "retry" in text or "refusal" in text


ASK: dict[str, Any] = {"model": "claude-haiku-5-5"}
USER = {"role": "user", "content": "{{ x }}"}
ASSISTANT = {"role": "assistant", "content": "ok"}
LOOP: list[Any] = []
LOOP.append(LOOP)


def test_the_further_keys_are_taken() -> None:
    """Mappings become what they mean; the manifest gives back the same recipe."""
    recipe = parse_recipe(
        {
            **ASK,
            "messages": [USER, ASSISTANT, USER],
            "system": {"text": "s", "cache": True},
            "attach": {"column": "p", "as": "image"},
            "input": {"format": "csv", "delimiter": ";", "encoding": "cp1252"},
            "output": {"format": "parquet", "column": "label", "prefix": "c_", "escape_formulas": False},
            "examples": [{"row": {"x": "1"}, "answer": {"label": "a"}}],
            "answer": {"label": {"enum": ["a", "b"]}},
            "retry": {"invalid": 5, "max_tokens": "x2"},
        },
        name=NAME,
    )
    assert recipe.turns == [
        Turn(role="user", content="{{ x }}"),
        Turn(role="assistant", content="ok"),
        Turn(role="user", content="{{ x }}"),
    ]
    assert (recipe.system, recipe.attached) == (System(text="s", cache=True), [Attach(column="p", kind="image")])
    assert recipe.input == Input(format="csv", delimiter=";", encoding="cp1252")
    assert recipe.output == Output(format="parquet", column="label", prefix="c_", escape_formulas=False)
    assert recipe.retry == Retry(max_tokens="x2", invalid=5)
    assert msgspec.json.decode(msgspec.json.encode(recipe), type=Recipe) == recipe


def test_dates_are_text_from_the_start() -> None:
    """YAML's dates would become text in the manifest: a row must look the same before and after."""
    fields = yaml.safe_load("{model: m, prompt: x, examples: [{row: {day: 2026-01-02}, answer: 2026-01-02}]}")
    example = parse_recipe(fields, name=NAME).examples[0]
    assert (example.row, example.answer) == ({"day": "2026-01-02"}, "2026-01-02")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"output": {"colum": "x"}}, "unknown key 'output.colum'; did you mean 'column'?"),
    ({"output": {"prefix": 5}}, "key 'output.prefix': it is 5; write text"),
    (
        {"output": {"format": "cvs"}},
        "key 'output.format': unknown value 'cvs'; did you mean 'csv'? (allowed: arrow, csv, json",
    ),
    ({"output": {"compression": "gzip"}}, "did you mean 'gz'? (allowed: bz2, gz, none, zst)"),
    ({"output": {"escape_formulas": "yes"}}, "key 'output.escape_formulas': it is text; write true or false"),
    ({"output": {"column": " "}}, "key 'output.column': it is empty"),
    ({"output": {"column": " a"}}, "key 'output.column': it starts or ends with a space"),
    ({"output": {"column": "a\nb"}}, "key 'output.column': it has a line end"),
    ({"output": {"prefix": " "}}, "key 'output.prefix': it is blank"),
    ({"output": {"prefix": "\t"}}, "key 'output.prefix': it has a line end"),
    ({"output": {"encoding": "ebcdic"}}, "key 'output.encoding': 'ebcdic' is not a supported text encoding"),
    ({"output": None}, "key 'output': it is empty; write a mapping, or remove the key"),
    ({"input": "file"}, "key 'input': unknown value 'file'; did you mean 'files'?"),
    ({"input": ["files"]}, "key 'input': it is a list; write files or a mapping"),
    ({"input": {"format": "pqt"}}, "key 'input.format': unknown value 'pqt'; did you mean 'parquet'?"),
    ({"input": {"encoding": "cp037"}}, "write another, such as utf-8, "),
    ({"input": {"delimiter": ""}}, "key 'input.delimiter': '' cannot be used"),
    ({"input": {"delimiter": "||"}}, "write ',', ';', '|' or tab"),
    ({"input": {"delimiter": '"'}}, "not a quote or a line end"),
    ({"input": {"delimiter": "\n"}}, "not a quote or a line end"),
    ({"input": {"sheet": 1}}, "key 'input.sheet': it is 1; write text"),
    ({"messages": [USER]}, "key 'messages': use either 'prompt' or 'messages', not both"),
    ({"prompt": None}, "missing required key `prompt` (or `messages`)"),
    ({"prompt": None, "messages": []}, "key 'messages': it is empty"),
    ({"prompt": None, "messages": [ASSISTANT]}, "key 'messages[0].role': roles must alternate, starting with user"),
    ({"prompt": None, "messages": [USER, USER]}, "key 'messages[1].role': roles must alternate"),
    ({"prompt": None, "messages": [USER, ASSISTANT]}, "key 'messages[1]': prefilled assistant turns are not supported"),
    ({"prompt": None, "messages": [{"role": "user"}]}, "key 'messages[0]': missing required key `content`"),
    ({"prompt": None, "messages": [{**USER, "role": "system"}]}, "unknown value 'system' (allowed: assistant, user)"),
    ({"prompt": None, "messages": [{"rol": "user", "content": "x"}]}, "'messages[0].rol'; did you mean 'role'?"),
    ({"prompt": None, "messages": ["hi"]}, "key 'messages[0]': it is text; write a mapping"),
    ({"prompt": None, "messages": [{**USER, "content": " "}]}, "key 'messages[0].content': it is empty"),
    ({"system": "{{ x }}"}, "key 'system': it is plain text, the same for all rows; move {{"),
    ({"system": {"text": "{% if x %}"}}, "key 'system': it is plain text, the same for all rows"),
    ({"system": {"text": " "}}, "key 'system.text': it is empty"),
    ({"system": {"txt": "x"}}, "unknown key 'system.txt'; did you mean 'text'?"),
    ({"system": {"text": "x", "cache": "1h"}}, "key 'system.cache': unknown value '1h' (allowed: auto, false, true)"),
    ({"examples": [{"row": {}}]}, "key 'examples[0]': missing required key `answer`"),
    ({"examples": [{"row": "a", "answer": "b"}]}, "key 'examples[0].row': it is text; write a mapping"),
    ({"examples": {"row": {}, "answer": "b"}}, "key 'examples': it is a mapping; write a list"),
    ({"examples": [{"row": {}, "anwser": "b"}]}, "unknown key 'examples[0].anwser'; did you mean 'answer'?"),
    ({"attach": "p"}, "key 'attach': it is text; write a mapping or a list"),
    ({"attach": {"column": "p"}}, "key 'attach': missing required key `as`"),
    ({"attach": {"column": "p", "as": "pdf"}}, "key 'attach.as': unknown value 'pdf' (allowed: document, image)"),
    ({"attach": [{"column": "p", "kind": "image"}]}, "unknown key 'attach[0].kind'"),
    ({"attach": [{"column": " ", "as": "image"}]}, "key 'attach[0].column': it is empty"),
    ({"retry": {"invalid": 6}}, "key 'retry.invalid': it is 6; write a whole number from 0 to 5"),
    ({"retry": {"invalid": True}}, "key 'retry.invalid': it is true or false; write a whole number from 0 to 5"),
    ({"retry": {"invald": 1}}, "unknown key 'retry.invald'; did you mean 'invalid'?"),
    (
        {"fail_if": {"answered_below": 90}},
        "key 'fail_if.answered_below': it is 90; write a number above 0 and at most 1",
    ),
    ({"fail_if": {"answered_below": 0}}, "key 'fail_if.answered_below': it is 0; write a number above 0"),
    ({"fail_if": {}}, "key 'fail_if': missing required key `answered_below`"),
    ({"fail_if": {"answered": 0.9}}, "unknown key 'fail_if.answered'; did you mean 'answered_below'?"),
    ({"max_rounds": 11}, "key 'max_rounds': it is 11; write a whole number from 1 to 10"),
    ({"max_tokens": 0}, "key 'max_tokens': it is 0; write a whole number, 1 or more"),
    ({"on_bad_row": True}, "key 'on_bad_row': it is true or false; write skip or stop"),
    ({"lane": "bach"}, "key 'lane': unknown value 'bach'; did you mean 'batch'?"),
    ({"answer": ["a"]}, "key 'answer': it is a list; write a mapping"),
    ({"answer": {True: "string"}}, "YAML reads an unquoted yes"),
    ({"params": {"output_config": "x"}}, "key 'params.output_config': it must be a mapping"),
    ({"params": {"x": LOOP}}, "an alias (*) stands within its own anchor"),
    ({"params": {"x": "\ud800"}}, "it holds a value that JSON cannot represent"),
]


@pytest.mark.parametrize(("change", "told"), WRONG)
def test_faults_are_reported_with_the_fix(change: dict[str, Any], told: str) -> None:
    """File, key, what it is, what it may be."""
    text = _refusal({key: value for key, value in {**GOOD, **change}.items() if (key, value) != ("prompt", None)})
    assert text.startswith(f"{NAME}: ")
    assert told in text


@pytest.mark.parametrize(
    "params",
    [
        {"metadata": {"user_id": "u"}},
        {"tools": [{"name": "n", "input_schema": {"type": "object"}}], "tool_choice": {"type": "auto"}},
        {"thinking": {"type": "adaptive"}},
        {"service_tier": "auto"},
        {"stop_sequences": ["END"]},
        {"output_config": {"effort": "low"}},
        {"a_parameter_of_tomorrow": 1},
    ],
)
def test_other_params_pass(params: dict[str, Any]) -> None:
    """What the recipe has no key for goes to the API as it is."""
    assert parse_recipe({**GOOD, "params": params}, name=NAME).params == params


@pytest.mark.parametrize("encoding", [*USUAL_ENCODINGS, "UTF8", "Windows-1251", "koi8-r", "iso-8859-15", "utf-32-le"])
def test_text_encodings_are_taken(encoding: str) -> None:
    """All that people's files have."""
    assert is_text_encoding(encoding)


@pytest.mark.parametrize(
    "encoding",
    [
        *("cp037", "cp500", "utf-7", "base64", "rot13", "hex", "zlib", "iso2022_jp", "hz", "idna", "punycode"),
        *("unicode_escape", "raw_unicode_escape", "undefined", "charmap", "nope", "é", "", "\0"),
    ],
)
def test_other_encodings_are_not(encoding: str) -> None:
    """Encodings of bytes, with states, or with other commas and line ends than ASCII's cannot be cut into lines."""
    assert not is_text_encoding(encoding)


@pytest.mark.parametrize(("word", "char"), [("tab", "\t"), ("\\t", "\t"), ("\t", "\t"), (";", ";"), ("|", "|")])
def test_delimiters_may_be_written_out(word: str, char: str) -> None:
    """A tab is hard to see in YAML."""
    assert delimiter_of(parse_recipe({**GOOD, "input": {"delimiter": word}}, name=NAME).input.delimiter) == char  # type: ignore[union-attr, arg-type]
