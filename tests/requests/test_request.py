"""Requests: the bytes of `params`, from a recipe or from the file itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.custom_id import after, prefix
from batchdrop.answers.shape import answer_shape
from batchdrop.errors import RecipeRejected, RowRejected
from batchdrop.limits import MAX_REQUEST_BYTES
from batchdrop.local.claude_api.params import NEW_VERSION, check_params, read_params
from batchdrop.recipe.recipe import Attach, Recipe, parse_recipe
from batchdrop.requests.chunking import CHUNK_ROWS
from batchdrop.requests.content_block import content_block
from batchdrop.requests.ready_request import ReadyRequests
from batchdrop.requests.request import RecipeRequests, request_line, request_lines
from batchdrop.requests.row import Cursor, Row
from tests.documents import document
from tests.strategies import cells


def _recipe_params(cell: str, **fields: object) -> bytes:
    recipe = Recipe(**{"model": "claude-haiku-5-5", "prompt": "{{ x }}.", **fields})  # type: ignore[arg-type] # fields of many types
    return RecipeRequests(recipe, name="r").request(Row(cell, Cursor(), {"x": cell})).params


def _ready_params(line: str) -> bytes:
    return ReadyRequests().request(Row(line, Cursor(), {})).params


@given(cells(), cells())
def test_params_are_the_recipes(cell: str, system: str) -> None:
    """Model, limit, system and further params come from the recipe, the message from the row."""
    params = _recipe_params(cell, system=system, params={"metadata": {"user_id": cell}})
    assert json.loads(params) == {
        "model": "claude-haiku-5-5",
        "max_tokens": 1024,
        "system": system,
        "metadata": {"user_id": cell},
        "messages": [{"role": "user", "content": f"{cell}."}],
    }


def test_without_system_there_is_no_key() -> None:
    """The API does not take `system: null`."""
    assert "system" not in json.loads(_recipe_params("x"))


@given(cells())
def test_params_are_one_line(cell: str) -> None:
    """No cell brings a newline into the stored body."""
    assert b"\n" not in _recipe_params(cell)


def test_the_place_of_the_prompt_cannot_be_faked() -> None:
    """A recipe that holds the inner placeholder keeps it, and the prompt goes where it belongs."""
    params = json.loads(_recipe_params("cell", system="\x00prompt\x00", params={"a": "\x00prompt\x00"}))
    assert (params["system"], params["a"], params["messages"][0]["content"]) == ("\x00prompt\x00",) * 2 + ("cell.",)


@pytest.mark.parametrize("over", [0, 1])
def test_the_largest_request(over: int) -> None:
    """32 MB go, one byte more is refused, and the reason says both numbers."""
    room = MAX_REQUEST_BYTES - len(_recipe_params(""))
    if not over:
        assert len(_recipe_params("x" * room)) == MAX_REQUEST_BYTES
        return
    with pytest.raises(RowRejected, match="32,000,001 bytes; the API takes at most 32,000,000"):
        _recipe_params("x" * (room + 1))


@pytest.mark.parametrize(
    "params", ['{"a": 1.10}', '{"n":123456789012345678901234567890}', '{"e":"\\u00e9é"}', "{}", '{ "b":\t1e5 }']
)
def test_ready_params_are_passed_on_to_the_byte(params: str) -> None:
    """Numbers, spaces and escapes of a ready-made request stay as they stand."""
    assert _ready_params(f'{{"custom_id":"mine","params":{params},"_status":"failed"}}') == params.encode()


@pytest.mark.parametrize(
    "line",
    [
        '{"custom_id":"a"}',
        '{"params":{}}',
        '{"custom_id":5,"params":{}}',
        '{"custom_id":"a","params":[]}',
        '{"custom_id":"a","params":null}',
        '{"custom_id":"a","params":"{}"}',
    ],
)
def test_lines_that_are_no_request_are_rejected(line: str) -> None:
    """A line without both keys, or with other types, is told so."""
    with pytest.raises(RowRejected, match=r"params|no request"):
        _ready_params(line)


def test_a_request_line_is_what_the_api_takes() -> None:
    """custom_id and params, and nothing else."""
    assert json.loads(request_line("job-00000-000001", b'{"a":1}')) == {
        "custom_id": "job-00000-000001",
        "params": {"a": 1},
    }


GOOD: dict[str, Any] = {"model": "claude-haiku-5-5", "prompt": "<{{ x }}>"}
TALK = [
    {"role": "user", "content": "Be brief."},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "About {{ x }}."},
    {"role": "assistant", "content": "Which {{ x }}?"},
    {"role": "user", "content": "The {{ y | upper }} one."},
]
PAIR = [{"row": {"x": "a"}, "answer": "A"}, {"row": {"x": "b"}, "answer": "B"}]
CACHE = {"type": "ephemeral", "ttl": "1h"}


def _attach(cell: str, attach: Attach) -> dict[str, Any]:
    if not cell.endswith(".pdf"):
        reason = "no PDF"
        raise RowRejected(reason)
    return {"type": attach.kind, "source": {"type": "url", "url": f"https://x.test/{cell}"}}


def _requests(**fields: Any) -> RecipeRequests:
    fields = {**GOOD, **fields}
    recipe = parse_recipe({key: value for key, value in fields.items() if value is not None}, name="r.yaml")
    return RecipeRequests(recipe, answer_shape(recipe, name="r.yaml"), name="r.yaml", attach=_attach)


def _asked(cells: dict[str, Any], content: tuple[dict[str, Any], ...] = (), **fields: Any) -> dict[str, Any]:
    """Return the params as the API sees them; it must take them."""
    raw = _requests(**fields).request(Row("", Cursor(), cells, content=content)).params
    check_params(read_params(raw), lane="batch", version=NEW_VERSION, strict_schemas=True)
    params: dict[str, Any] = json.loads(raw)
    return params


def _refusal(**fields: Any) -> str:
    with pytest.raises(RecipeRejected) as caught:
        _requests(**fields)
    return str(caught.value)


@given(cells().filter(str.strip), cells())
def test_conversations_are_filled_turn_by_turn(x: str, y: str) -> None:
    """Each message is a template of its own; what no row changes stays as it is."""
    messages = _asked({"x": x, "y": y}, prompt=None, messages=TALK)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"] * 2 + ["user"]
    assert [message["content"] for message in messages] == [
        "Be brief.", "Yes.", f"About {x}.", f"Which {x}?", f"The {y.upper()} one."
    ]  # fmt: skip


def test_examples_stand_before_the_row() -> None:
    """Each example is the prompt with its row, and the answer that it should get."""
    assert _asked({"x": "c"}, examples=PAIR)["messages"] == [
        {"role": "user", "content": "<a>"},
        {"role": "assistant", "content": "A"},
        {"role": "user", "content": "<b>"},
        {"role": "assistant", "content": "B"},
        {"role": "user", "content": "<c>"},
    ]


def test_examples_of_conversations_are_whole_conversations() -> None:
    """An example goes through all messages, then comes its answer."""
    messages = _asked(
        {"x": "c", "y": "d"}, prompt=None, messages=TALK, examples=[{"row": {"x": 1, "y": "e"}, "answer": "A"}]
    )
    contents = [message["content"] for message in messages["messages"]]
    assert contents[:6] == ["Be brief.", "Yes.", "About 1.", "Which 1?", "The E one.", "A"]
    assert contents[6:] == ["Be brief.", "Yes.", "About c.", "Which c?", "The D one."]


def test_typed_answers_ask_for_their_schema() -> None:
    """The schema goes into `output_config`, beside what `params` have there; an example's answer is compact JSON."""
    params = _asked(
        {"x": "c"},
        answer={"label": {"enum": ["é", "b"]}, "note": "string?"},
        params={"output_config": {"effort": "low"}},
        examples=[{"row": {"x": "a"}, "answer": {"label": "é"}}],
    )
    assert params["output_config"]["effort"] == "low"
    assert params["output_config"]["format"]["type"] == "json_schema"
    assert params["output_config"]["format"]["schema"]["required"] == ["label", "note"]
    assert params["messages"][1]["content"] == '{"label":"é","note":null}'


def test_requests_are_stored_without_a_mark() -> None:
    """Whether the cache is warm shows only when they are sent."""
    assert _asked({"x": "c"}, system={"text": "s", "cache": True})["system"] == "s"
    assert _asked({"x": "c"}, system={"text": "s"})["system"] == "s"


def test_attached_files_stand_before_the_text() -> None:
    """First what the file itself brings, then the columns of `attach`, then the prompt."""
    own = content_block(document("page.pdf"), name="", kind=None)
    attach = [{"column": "p", "as": "document"}, {"column": "q", "as": "image"}]
    params = _asked({"x": "c", "p": "1.pdf", "q": "2.pdf"}, (own,), attach=attach, examples=PAIR)
    assert params["messages"][-1] == {
        "role": "user",
        "content": [
            own,
            {"type": "document", "source": {"type": "url", "url": "https://x.test/1.pdf"}},
            {"type": "image", "source": {"type": "url", "url": "https://x.test/2.pdf"}},
            {"type": "text", "text": "<c>"},
        ],
    }
    assert _asked({"x": "c"}, (own,))["messages"][0]["content"] == [own, {"type": "text", "text": "<c>"}]


def test_a_row_without_its_file_is_unaskable() -> None:
    """An empty cell, no text, or a file that cannot be attached: the row's fault, with the column's name."""
    requests = _requests(attach={"column": "p", "as": "document"})
    for value in ("", " ", None, 5, ["1.pdf"]):
        with pytest.raises(RowRejected, match="column 'p' is empty"):
            requests.request(Row("", Cursor(), {"x": "c", "p": value}))
    with pytest.raises(RowRejected, match="no PDF"):
        requests.request(Row("", Cursor(), {"x": "c", "p": "1.doc"}))


def test_all_columns_are_looked_for() -> None:
    """Those of each message, and those of `attach`."""
    requests = _requests(prompt=None, messages=TALK, attach={"column": "p", "as": "document"})
    requests.check_columns(["x", "y", "p"], filename="f.csv")
    with pytest.raises(RecipeRejected, match=r"r.yaml: 'messages\[4\].content' uses column 'y'"):
        requests.check_columns(["x", "p"], filename="f.csv")
    with pytest.raises(RecipeRejected, match=r"key 'attach.column': column 'p' is missing in f.csv \(columns: x, y\)"):
        requests.check_columns(["x", "y"], filename="f.csv")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"examples": [PAIR[0], {"row": {"z": 1}, "answer": "A"}]}, "example 2: its row does not fit the prompt: "),
        ({"examples": [{"row": {"x": 1}, "answer": True}]}, "example 1: its answer is true or false; write text"),
        ({"examples": [{"row": {"x": 1}, "answer": " "}]}, "example 1: its answer is blank"),
        ({"examples": [{"row": {"x": 1}, "answer": None}]}, "example 1: its answer is empty"),
        (
            {"examples": [{"row": {"x": 1}, "answer": {"a": 1}}], "answer": {"a": "string"}},
            "example 1: its answer breaks the recipe's 'answer': 'a' must be text, but it is a number",
        ),
        (
            {"examples": [{"row": {"x": 1}, "answer": {"b": "x"}}], "answer": {"a": "string"}},
            "example 1: its answer breaks the recipe's 'answer': the answer has an unknown field 'b'",
        ),
        (
            {"examples": [{"row": {"x": 1}, "answer": "yes"}], "answer": {"a": "string"}},
            "example 1: its answer breaks the recipe's 'answer': it is not JSON",
        ),
        ({"prompt": None, "messages": [{**TALK[0], "content": "{{ x"}]}, "key 'messages[0].content', line 1"),
        (
            {"prompt": None, "messages": [{**TALK[0], "content": "{{ 1 // 0 }}"}, *TALK[1:3]]},
            "key 'messages[0].content'",
        ),
    ],
)
def test_wrong_examples_and_templates_are_reported(fields: dict[str, Any], told: str) -> None:
    """The example's number, or the message's, and why; before any row is read."""
    text = _refusal(**fields)
    assert text.startswith("r.yaml: ")
    assert told in text


def test_a_mapping_is_an_example_of_a_text_answer_too() -> None:
    """It is written as compact JSON."""
    params = _asked({"x": "c"}, examples=[{"row": {"x": "a"}, "answer": {"é": [1]}}])
    assert params["messages"][1]["content"] == '{"é":[1]}'


def test_what_json_cannot_represent_rejects_the_row() -> None:
    """Half a character that a template makes has no bytes."""
    with pytest.raises(RowRejected, match="UnicodeEncodeError"):
        _requests(prompt="{{ x }}{{ '\\ud800' }}").request(Row("", Cursor(), {"x": "c"}))


CONVERSATION = [
    {"role": "user", "content": "{{ x }}?"},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "{{ y }}"},
]
RECIPES: list[dict[str, Any]] = [
    {},
    {"prompt": "100 % {{ x }}{{ x }}%s{{ y }}"},
    {"prompt": "{% if x %}{{ y }}{% endif %}"},
    {"prompt": None, "messages": CONVERSATION},
    {"prompt": "constant"},
    {"attach": {"column": "x", "as": "document"}},
]
own_cells = st.dictionaries(st.sampled_from(["x", "y"]), cells() | st.none() | st.integers() | st.just("a.pdf"))
own_rows = st.builds(
    Row, st.just(""), st.just(Cursor()), own_cells, content=st.sampled_from([(), (), ({"type": "image"},)])
)


@pytest.mark.parametrize("fields", RECIPES)
@given(st.lists(own_rows))
def test_rows_together_become_the_requests_of_each_alone(fields: dict[str, Any], rows: list[Row]) -> None:
    """To the byte, or not at all: then each is made alone, and says what is wrong with it."""
    source = _requests(**fields)
    together = source.requests(rows)
    if together is None:
        return
    alone = [source.request(row) for row in rows]
    assert list(zip(*together, strict=True)) == alone


def test_plain_rows_are_made_together() -> None:
    """The usual recipe and the usual rows; one odd row sends all of them the long way."""
    source, plain = _requests(prompt="{{ x }}"), Row("", Cursor(), {"x": "a"})
    assert source.requests([plain] * 3) == ([source.request(plain).params] * 3, ["a"] * 3)
    for odd in (Row("", Cursor(), {"x": " "}), Row("", Cursor(), {}), Row("", Cursor(), {"x": "a"}, "bad")):
        assert source.requests([plain, odd, plain]) is None
    assert source.requests([plain, Row("", Cursor(), {"x": "a" * MAX_REQUEST_BYTES})]) is None


def test_long_prompts_are_made_a_few_at_a_time() -> None:
    """However long what they share is, requests that are made together take little memory."""
    assert _requests().chunk_rows == CHUNK_ROWS
    assert 1 < _requests(prompt="x" * 5_000 + "{{ x }}").chunk_rows < 14
    assert 1 < _requests(system="x" * 5_000).chunk_rows < 14
    assert _requests(system="x" * 5_000_000).chunk_rows == 1


def test_what_no_row_shares_is_made_row_by_row() -> None:
    """Prompts with logic, files that rows attach, requests that stand in the file."""
    assert [_requests(prompt="{{ x | upper }}").chunk_rows, ReadyRequests().chunk_rows] == [1, 1]
    attaching = _requests(attach={"column": "x", "as": "document"})
    assert (attaching.chunk_rows, attaching.waits, _requests().waits) == (1, True, False)


@given(st.integers(0, 99_999), st.lists(st.none() | st.just(b"{}"), max_size=5))
def test_many_request_lines_are_the_lines_of_each(first: int, asked: list[bytes | None]) -> None:
    """Each under its own custom_id."""
    own, numbered = prefix("job", 3), [(index, one) for index, one in enumerate(asked, first) if one is not None]
    assert request_lines(own, numbered) == [request_line(after(own, index), one) for index, one in numbered]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"stream": True}, "'params.stream': answers of a Message Batch cannot be streamed; remove it"),
        ({"temperature": 0}, "'params.temperature': API version 2026-10-21 refuses sampling parameters"),
        ({"betas": ["x"]}, "'params.betas' is an argument of the SDK"),
        ({"extra_body": {}}, "'params.extra_body' is an argument of the SDK"),
        ({"max_tokens": 5, "thinking": {"type": "enabled", "budget_tokens": 2000}}, "must be less than max_tokens (5)"),
    ],
)
def test_a_ready_request_that_the_api_refuses_is_rejected(more: Any, told: str) -> None:
    """Before it is sent: a Message Batch would say so hours later."""
    with pytest.raises(RowRejected) as caught:
        _ready_params(json.dumps({"custom_id": "a", "params": {"model": "m", "max_tokens": 5, **more}}))
    assert told in str(caught.value)


def test_a_ready_request_may_name_a_default() -> None:
    """`stream: false` and null change nothing."""
    line = '{"custom_id":"a","params":{"model":"m","stream":false,"temperature":null}}'
    assert _ready_params(line) == b'{"model":"m","stream":false,"temperature":null}'
