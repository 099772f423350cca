"""Items as the SDK takes them: they run, and can be checked, in every form in which people have them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from batchdrop.cli.check.checking import check_file
from batchdrop.cli.run.dropping import Drop, NotDroppableError
from batchdrop.errors import RecipeRejected
from tests.jobs import World, dropped

PARAMS: dict[str, Any] = {
    "model": "claude-haiku-5-5",
    "max_tokens": 5,
    "messages": [{"role": "user", "content": "hi"}],
    "tools": [{"name": "look", "input_schema": {"type": "object"}}],
}
PLAIN = {name: PARAMS[name] for name in ("model", "max_tokens", "messages")}


def _requests(params: dict[str, Any], count: int = 3) -> list[dict[str, Any]]:
    return [{"custom_id": f"mine-{number}", "params": params} for number in range(count)]


def _lines(items: list[Any]) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


def _forms(params: dict[str, Any]) -> dict[str, str]:
    requests = _requests(params)
    return {
        "body.json": json.dumps({"requests": requests}),
        "body-pretty.json": json.dumps({"requests": requests}, indent=2),
        "body.jsonl": json.dumps({"requests": requests}) + "\n",
        "body-pretty.jsonl": json.dumps({"requests": requests}, indent=2),
        "other-key.json": json.dumps({"meta": {"n": 1}, "items": requests, "betas": ["x"]}),
        "list.json": json.dumps(requests),
        "list.jsonl": json.dumps(requests),
        "lines.jsonl": _lines(requests),
        "lines.json": _lines(requests),
        "one.jsonl": _lines(requests[:1]),
        "one.json": json.dumps(requests[0]),
        "one-pretty.json": json.dumps(requests[0], indent=2),
    }


READY = [
    pytest.param(name, body, id=f"{name}-{kind}")
    for kind, params in (("plain", PLAIN), ("tools", PARAMS))
    for name, body in _forms(params).items()
]


@pytest.mark.parametrize(("name", "body"), READY)
def test_requests_run_without_a_recipe(name: str, body: str, tmp_path: Path) -> None:
    """Each request is a row, and its params are sent as they are."""
    world = dropped(body.encode(), key=f"inbox/{name}", recipe=None)
    summary = world.run()
    count = 1 if name.startswith("one") else 3
    assert (summary.tally.answered, len(world.requests(0))) == (count, count)
    assert world.requests(0)[0]["params"] in (PLAIN, PARAMS)
    path = tmp_path / name
    path.write_text(body)
    Drop(path, None).check()


@pytest.mark.parametrize(("name", "body"), READY)
def test_requests_can_be_checked(name: str, body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their cost, and their models."""
    for variable in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    path = tmp_path / name
    path.write_text(body)
    said = io.StringIO()
    assert check_file(None, path, Console(file=said, width=160))
    assert "0 rejected" in said.getvalue()
    path.write_text(body.replace("claude-haiku-5-5", "claude-haiku-55"))
    assert not check_file(None, path, Console(file=said, width=160))
    assert "did you mean 'claude-haiku-5-5'" in said.getvalue()


ITEMS = [{"id": number, "prompt": f"What is {number}?"} for number in range(3)]
BARE = {"list.json": json.dumps(ITEMS), "list.jsonl": json.dumps(ITEMS), "pretty.jsonl": json.dumps(ITEMS, indent=1)}


@pytest.mark.parametrize(("name", "body"), [*BARE.items(), ("lines.jsonl", _lines(ITEMS))])
def test_a_bare_list_runs_with_a_recipe(name: str, body: str, tmp_path: Path) -> None:
    """Which names the model, and takes the prompt as it is."""
    recipe = "model: claude-haiku-5-5\nprompt: '{{ prompt }}'\n"
    world = dropped(body.encode(), key=f"inbox/r/{name}", recipe=recipe)
    world.run()
    assert [request["params"]["messages"][0]["content"] for request in world.requests(0)] == [
        item["prompt"] for item in ITEMS
    ]
    (tmp_path / "r.yaml").write_text(recipe)
    (tmp_path / name).write_text(body)
    assert check_file(tmp_path / "r.yaml", tmp_path / name, Console(file=io.StringIO()))


@pytest.mark.parametrize(
    ("name", "body"),
    [("list.json", json.dumps(ITEMS)), ("t.csv", "a\n1\n"), ("several.json", json.dumps({"a": ITEMS, "b": ITEMS}))],
)
def test_other_files_need_a_recipe(name: str, body: str, tmp_path: Path) -> None:
    """The message says so, in the job and in the check."""
    (tmp_path / name).write_text(body)
    with pytest.raises(Exception, match="recipe"):
        check_file(None, tmp_path / name, Console(file=io.StringIO()))
    with pytest.raises(Exception, match="recipe"):
        dropped(body.encode(), key=f"inbox/{name}", recipe=None).split()


def test_a_table_is_not_dropped_without_a_recipe(tmp_path: Path) -> None:
    """Before anything is uploaded."""
    (tmp_path / "t.csv").write_text("a\n1\n")
    with pytest.raises(NotDroppableError, match="needs a recipe"):
        Drop(tmp_path / "t.csv", None).check()


def test_rows_with_arrays_are_still_found() -> None:
    """Only an array whose first element is a request makes an object ready-made. Other arrays are rows."""
    recipe = "model: m\nprompt: '{{ x }}'\n"
    world: World = dropped(b'{"custom_id": 1, "rows": [{"x": "a"}, {"x": "b"}]}', key="inbox/r/f.json", recipe=recipe)
    assert world.split().requests == 2
    with pytest.raises(RecipeRejected, match="no recipe"):
        dropped(b'{"rows": [{"x": "a"}]}\n', key="inbox/f.jsonl", recipe=None).split()
