"""The page Try without a browser: what it answers, what it writes, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from httpx2 import Response

from batchdrop.cli.ui.trying.page import TRY
from tests.ui.consoles import OWN, Visit, session_of, visit

RECIPE = """\
model: claude-haiku-5-5
max_tokens: 64
prompt: 'Classify: {{ text }}'
answer: {label: {enum: [good, bad]}}
"""
ROWS = 'id,text\n001,good\n002,"<img src=x onerror=alert(1)>"\n003\n004,日本語\n'


class TryVisit(Visit):
    """A browser at the page."""

    def post(self, path: str, text: str = RECIPE, **fields: str) -> Response:
        """Post the recipe's form as the page does."""
        headers = {"origin": OWN, "hx-request": "true"}
        return self.client.post(f"/try/{path}", data={"recipe": text, **fields}, headers=headers)


def _files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TryVisit:
    """A console with a table of four rows, one of which cannot be sent; no recipe is saved."""
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text(ROWS, encoding="utf-8")
    one = visit(TRY, session=session_of(file=Path("rows.csv"), out=tmp_path / "out"))
    return TryVisit(one.client, one.access, one.told)


def test_another_table_is_opened(at: TryVisit, tmp_path: Path) -> None:
    """The tables of the folder are listed; only they can be opened, and each keeps its versions."""
    for name in ("other.jsonl", ".hidden.csv", "ask.yaml"):
        (tmp_path / name).write_text('{"note": "x"}\n', encoding="utf-8")
    at.post("run", rows="2")
    listed = at.client.get("/try/files").text
    assert [name in listed for name in ("rows.csv", "other.jsonl", "hidden", "ask.yaml")] == [True, True, False, False]
    for name in ("../other.jsonl", "ask.yaml", ".hidden.csv", "/etc/hosts", ""):
        assert at.post("open", name=name).status_code == 404
    assert at.post("open", name="other.jsonl").status_code == 303
    assert "note: {{ note }}" in at.client.get("/try").text
    assert at.client.get("/try/rows?version=1").status_code == 404
    at.post("open", name="rows.csv")
    assert at.client.get("/try/rows?version=1").status_code == 200


def test_without_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says how to open one, and nothing else works."""
    monkeypatch.chdir(tmp_path)
    at = visit(TRY)
    assert "batchdrop ui reviews.csv" in at.client.get("/try").text
    assert at.client.post("/try/check", data={"recipe": ""}, headers={"origin": OWN}).status_code == 404


def test_the_page_opens_with_a_first_recipe(at: TryVisit) -> None:
    """Its columns are chips, and nothing is written before a save."""
    page = at.client.get("/try").text
    assert "prompt: |\n  id: {{ id }}\n  text: {{ text }}" in page
    assert 'data-insert="{{ text }}"' in page
    assert "not saved yet" in page
    assert _files() == ["rows.csv"]


def test_a_recipe_is_checked_and_priced(at: TryVisit) -> None:
    """Faults have their line and fix; a well-formed recipe is priced at once."""
    wrong = at.post("check", "modle: x\n").text
    assert 'data-line="1"' in wrong
    assert 'data-put="model"' in wrong
    assert 'hx-post="/try/price"' in at.post("check").text
    priced = at.post("price").text
    assert "this job" in priced
    assert "1 rejected" in priced
    assert 'hx-swap-oob="true"' in priced


def test_a_save_writes_the_recipe_and_nothing_else(at: TryVisit) -> None:
    """It keeps the file's mode, and overwrites a change of somebody else only if it is told to."""
    assert "Saved rows.yaml" in at.post("save").text
    recipe = Path("rows.yaml")
    assert recipe.read_text(encoding="utf-8") == RECIPE
    recipe.chmod(0o600)
    at.post("save", f"{RECIPE}# more\n")
    assert recipe.stat().st_mode & 0o777 == 0o600
    recipe.write_text("# elsewhere\n", encoding="utf-8")
    assert "was changed elsewhere" in at.post("save").text
    assert recipe.read_text(encoding="utf-8") == "# elsewhere\n"
    at.post("save", overwrite="yes")
    assert recipe.read_text(encoding="utf-8") == RECIPE
    assert _files() == ["rows.csv", "rows.yaml"]


def test_rows_are_tried_compared_and_sent_again(at: TryVisit) -> None:
    """Answers beside the row's cells; kept answers cost nothing; markup in a cell is text."""
    first = at.post("run", rows="20").text
    assert re.search(r"4 rows: 3 sent now for \$0\.\d+", first)
    assert "&lt;img src=x onerror=alert(1)&gt;" in first
    assert "<img" not in first
    assert "rejected" in first
    assert "0 sent now for $0, 3 with kept answers" in at.post("run", rows="20").text
    second = at.post("run", RECIPE.replace("[good, bad]", "[fine, poor]"), rows="20").text
    assert "Changed <b>3</b>" in second
    assert "Changes of the recipe, 1 to 2" in second
    changed = at.client.get("/try/rows?version=2&compare=1&show=changed&text=日本語").text
    assert changed.count("data-story") == 1
    story = at.client.get("/try/prompt?version=1&row=4").text
    assert "Classify: 日本語" in story
    again = at.post("again", version="1", row="4", compare="0").text
    assert again.count("data-story") == 4
    assert "Send this row again" not in at.client.get("/try/prompt?version=1&row=3").text  # it cannot be sent


def test_what_cannot_be_tried(at: TryVisit) -> None:
    """A message for the page, and nothing is kept."""
    assert at.post("run", rows="0").status_code == 400
    assert at.post("run", rows="1001").status_code == 400
    wrong = at.post("run", "modle: x\n", rows="2")
    assert wrong.status_code == 409
    assert "did you mean" in wrong.text
    assert "batchdrop-recipe" not in wrong.text
    for path in ("rows?version=1", "prompt?version=1&row=1", "rows?version=x"):
        assert at.client.get(f"/try/{path}").status_code == 404
    assert at.post("again", version="1", row="1").status_code == 404


def test_no_job_starts_without_an_order(at: TryVisit) -> None:
    """A job needs the word that was given with its cost: once, and for this file."""
    assert at.post("start").status_code == 409
    assert at.post("start", order="guessed").status_code == 409
    refused = at.post("order", "model: claude-haiku-5-5\nprompt: all the same\n").text
    assert "cannot run yet" in refused
    assert 'name="order"' not in refused
