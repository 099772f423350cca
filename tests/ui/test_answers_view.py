"""The table of tried rows: types, versions side by side, filters and search."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from batchdrop.cli.trial.trying import Shown, Tried
from batchdrop.cli.ui.trying.answers_view import Wanted, answers_view
from batchdrop.cli.ui.trying.versions import Choice, Version, Versions

NOW = datetime(2026, 12, 1, 4, 0, tzinfo=UTC)


def _shown(row: int, status: str = "answered", **answer: Any) -> Shown:
    return Shown(row, {"text": f"text {row} 感想"}, status, "", answer, {}, is_new=True)


def _versions(*tries: list[Shown]) -> Versions:
    versions = Versions()
    for number, rows in enumerate(tries):
        versions.add(NOW, f"model: a\nprompt: {number}\n", Choice(), Tried(rows, len(rows), 0, Decimal("0.01")))
    return versions


def _first(versions: Versions) -> Version:
    return versions.all[0]


def test_kinds_of_columns() -> None:
    """Numbers are aligned, labels are badges, long texts and structures are text, and nothing is a dash."""
    rows = [
        _shown(1, label="good", score=0.5, why="because of this", tags=["a"], never=None),
        _shown(2, label="good", score=1, why="because of that", tags=["b"], never=None),
        _shown(3, label="bad", score=None, why="for no reason", tags=[], never=None),
    ]
    view = answers_view(_first(_versions(rows)), None, Wanted())
    kinds = {"label": "label", "score": "number", "why": "text", "tags": "text", "never": "none"}
    assert dict(view.answer_columns) == kinds
    assert [cell.text for cell in view.rows[0].answers] == ["good", "0.5", "because of this", '["a"]', ""]
    assert view.rows[2].answers[1].kind == "none"
    assert view.labels == [("label", "good", 2), ("label", "bad", 1)]


def test_texts_of_equal_rows_are_no_labels() -> None:
    """Rows that ask the same share an answer, so that its text repeats."""
    view = answers_view(_first(_versions([_shown(n, why=f"reason {n % 9}") for n in range(1, 21)])), None, Wanted())
    assert dict(view.answer_columns) == {"why": "text"}
    assert view.labels == []


def test_two_versions_side_by_side() -> None:
    """What differs has the other answer beside it, and the recipes' lines that differ are shown."""
    first, second = _shown(1, label="good"), _shown(2, label="bad")
    versions = _versions([first, second], [first, _shown(2, label="good")])
    before, now = versions.all
    view = answers_view(now, before, Wanted(2, 1))
    assert [row.is_changed for row in view.rows] == [False, True]
    assert [(row.answers[0].beside, row.answers[0].before) for row in view.rows] == [("same", None), ("differs", "bad")]
    assert view.counts == {"all": 2, "changed": 1, "unusable": 0}
    assert view.changes == [(" ", "model: a"), ("-", "prompt: 0"), ("+", "prompt: 1")]
    assert [row.number for row in answers_view(now, before, Wanted(2, 1, show="changed")).rows] == [2]
    [other] = _versions([first, _shown(9, label="good")]).all
    beside = [row.answers[0].beside for row in answers_view(other, before, Wanted(2, 1)).rows]
    assert beside == ["same", "missing"]


def test_filters_and_search() -> None:
    """By state, by label, by text of rows and answers; they count together."""
    rows = [_shown(1, label="good"), _shown(2, "max_tokens"), _shown(3, label="bad"), _shown(4, label="bad")]
    version = _first(_versions(rows))

    def numbers(**wanted: Any) -> list[int]:
        return [row.number for row in answers_view(version, None, Wanted(**wanted)).rows]

    assert numbers(show="unusable") == [2]
    assert numbers(label="label=bad") == [3, 4]
    assert numbers(text="TEXT 3") == [3]
    assert numbers(text="感想") == [1, 2, 3, 4]
    assert numbers(label="label=bad", text="text 1") == []
    assert answers_view(version, None, Wanted(show="unusable")).has_states
    assert not answers_view(version, None, Wanted(label="label=bad")).has_states


def test_a_try_of_the_same_recipe_is_the_same_version() -> None:
    """Only a change of the recipe or of the rows makes a new version; a row that is sent again changes its own."""
    versions = _versions([_shown(1, label="good")])
    versions.add(NOW, versions.all[0].recipe, Choice(), Tried([_shown(1, label="bad")], 1, 0, None))
    assert [one.number for one in versions.all] == [1]
    versions.add(NOW, versions.all[0].recipe, Choice(5), Tried([_shown(1, label="bad")], 1, 0, None))
    assert [one.number for one in versions.all] == [1, 2]
    versions.replace_row(versions.all[0], _shown(1, label="fair"))
    again = versions.all[0].row(1)
    assert again is not None
    assert again.answer == {"label": "fair"}
    assert versions.get(0) is None
    assert versions.get(3) is None
    assert versions.all[0].row(9) is None
