"""`batchdrop try`: a few answers at once; the same request is paid once, and each paid answer is kept."""

from __future__ import annotations

import asyncio
import io
import json
import stat
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batchdrop.cli.run.service import Service
from batchdrop.cli.safe_console import SafeConsole
from batchdrop.cli.trial.cards import print_tried
from batchdrop.cli.trial.sending import answered
from batchdrop.cli.trial.tried_answers import TriedAnswers
from batchdrop.cli.trial.trying import STORE, Tried, Trying, tried
from batchdrop.errors import AccountTrouble, RecipeRejected
from batchdrop.live_lane.reply import Answer, Passing, Refused, Reply, Throttled
from batchdrop.local.claude_api.testing import RunningEmulator, running_emulator

RECIPE = "model: claude-haiku-5-5\nmax_tokens: 50\nprompt: '{} {{{{ review }}}}'\nanswer: {{label: {{enum: [a, b]}}}}\n"
PARAMS = b'{"model":"claude-haiku-5-5","max_tokens":50,"messages":[]}'


@pytest.fixture
def emulator() -> Iterator[RunningEmulator]:
    """A service of one's own, and its bill."""
    with running_emulator(speed=1, accepted_keys=["sk-mine"]) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recipe, and a table of 300 rows of which the second cannot be sent."""
    rows = [f"{row},review {row}" if row != 2 else "2" for row in range(1, 301)]
    (tmp_path / "rows.csv").write_text("id,review\n" + "\n".join(rows) + "\n", encoding="utf-8")
    _write_recipe(tmp_path, "Label this:")
    return tmp_path


def _write_recipe(folder: Path, instruction: str) -> None:
    (folder / "ask.yaml").write_text(RECIPE.format(instruction), encoding="utf-8")


def _try(folder: Path, emulator: RunningEmulator, key: str = "sk-mine", **options: Any) -> Tried:
    whole: dict[str, Any] = {"rows": 3, "is_random": False, "files": None, "out": folder / "out", **options}
    return tried(Trying(folder / "ask.yaml", folder / "rows.csv", **whole), Service(emulator.base_url, key))


def _paid(emulator: RunningEmulator) -> int:
    return int(emulator.bill_summary()["requests"])


def test_the_first_rows_are_answered(folder: Path, emulator: RunningEmulator) -> None:
    """With what the prompt read. A row that cannot be sent is shown with its reason, and does not count."""
    ended = _try(folder, emulator)
    assert [(shown.row, shown.status) for shown in ended.rows] == [
        (1, "answered"), (2, "rejected"), (3, "answered"), (4, "answered"),
    ]  # fmt: skip
    assert ended.rows[0].cells == {"review": "review 1"}
    assert ended.rows[0].answer["label"] in {"a", "b"}
    assert "it has 1 cell" in ended.rows[1].error
    assert (ended.sent, ended.requests, _paid(emulator)) == (3, None, 3)
    assert ended.cost_usd == Decimal(emulator.bill_summary()["usd"])


def test_the_same_request_is_paid_once(folder: Path, emulator: RunningEmulator) -> None:
    """More rows pay for the new ones only; `pays_again` pays for all."""
    _try(folder, emulator)
    again = _try(folder, emulator, rows=5)
    assert (again.sent, again.paid_before, _paid(emulator)) == (2, 3, 5)
    assert [shown.is_new for shown in again.rows] == [False, False, False, False, True, True]
    assert _try(folder, emulator, pays_again=True).sent == 3
    assert _paid(emulator) == 8


def test_a_changed_recipe_shows_what_changed(folder: Path, emulator: RunningEmulator) -> None:
    """Its requests are new; answers that differ from those of the last try are marked."""
    _try(folder, emulator, rows=30)
    for attempt in range(5):
        _write_recipe(folder, f"Label this otherwise, {attempt}:")
        again = _try(folder, emulator, rows=30)
        assert again.sent == 30
        if changed := [shown for shown in again.rows if shown.was]:
            assert changed[0].was["label"] != changed[0].answer["label"]
            return
    pytest.fail("five other prompts changed none of thirty answers")


def test_random_rows_are_of_the_whole_file(folder: Path, emulator: RunningEmulator) -> None:
    """The same ones each time, in order, and with the cost of the whole file."""
    one, other = (_try(folder, emulator, is_random=True, rows=10) for _ in range(2))
    rows = [shown.row for shown in one.rows]
    assert rows == [shown.row for shown in other.rows] == sorted(rows)
    assert max(rows) > 100
    assert 2 not in rows
    assert (one.requests, other.sent) == (299, 0)
    batch, live = one.whole_file_usd["batch"], one.whole_file_usd["live"]
    assert batch is not None
    assert live == 2 * batch
    assert one.cost_usd is not None
    assert live == one.cost_usd / 10 * 299


def test_the_answers_are_the_users_own(folder: Path, emulator: RunningEmulator) -> None:
    """Nobody else reads the file; another service has other answers."""
    _try(folder, emulator)
    path = folder / "out" / STORE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with TriedAnswers(path, "https://other") as answers:
        assert answers.found({1: PARAMS}, ()) == {}


def test_trouble_with_the_account_keeps_what_is_paid(folder: Path, emulator: RunningEmulator) -> None:
    """The key is refused after some answers: these are kept, and the next try goes on."""
    emulator.inject("error_before_accept", "messages.create", status=401, after=4, times=-1)
    with pytest.raises(AccountTrouble):
        _try(folder, emulator, rows=30)
    paid = _paid(emulator)
    assert paid == 4
    emulator.reset()
    assert _try(folder, emulator, rows=30).sent == 30 - paid


def test_a_recipe_that_does_not_fit_is_refused(folder: Path, emulator: RunningEmulator) -> None:
    """As by `check`, before anything is sent."""
    (folder / "ask.yaml").write_text("model: claude-haiku-5-5\nprompt: '{{ reviw }}'\n", encoding="utf-8")
    with pytest.raises(RecipeRejected, match=r"ask\.yaml: the prompt uses column 'reviw'.*did you mean 'review'"):
        _try(folder, emulator)
    assert _paid(emulator) == 0


class _Api:
    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)

    async def send(self, params: bytes, **_options: Any) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


LOST = Passing("api_error", "the connection broke", is_uncertain=True)


@pytest.mark.parametrize(
    ("replies", "ended"),
    [
        ((Throttled("rate_limit_error", "wait", 0.0), Answer(b'{"a":1}')), '"type":"succeeded"'),
        ((LOST, Answer(b'{"a":1}')), '"type":"succeeded"'),
        ((LOST, LOST, Answer(b"{}")), '"type":"uncertain"'),
        ((Passing("api_error", "500"),), '"type":"errored"'),
        ((Throttled("overloaded_error", "busy", 0.0),), "overloaded_error"),
        ((Refused("invalid_request_error", "no"),), "invalid_request_error"),
    ],
)
def test_a_request_is_tried_as_often_as_it_may(replies: tuple[Reply, ...], ended: str) -> None:
    """A lost answer may be paid: it is sent once more, and never a third time."""
    line = asyncio.run(answered(_Api(*replies), "7", PARAMS, (), wait_seconds=0.0))
    assert ended in line.decode()
    assert json.loads(line)["custom_id"] == "7"


@pytest.mark.parametrize(("width", "expected"), [(140, "row  review"), (60, "row 1\nreview         review 1\nlabel")])
def test_a_narrow_terminal_shows_cards(folder: Path, emulator: RunningEmulator, width: int, expected: str) -> None:
    """A table needs room."""
    file = io.StringIO()
    print_tried(_try(folder, emulator), SafeConsole(file=file, width=width))
    assert expected in file.getvalue()
    assert "rejected: row 2 (line 3)" in " ".join(file.getvalue().split())
    assert "4 rows = 3 answered + 1 others: 3 sent now for $" in file.getvalue()


def test_answers_are_shared_with_runs(folder: Path, emulator: RunningEmulator) -> None:
    """With `remember`, a try looks into the answers of runs, and gives them its own; another folder has none."""
    _write_recipe(folder, "Keep this:")
    with (folder / "ask.yaml").open("a", encoding="utf-8") as recipe:
        recipe.write("remember: 90d\n")
    assert _try(folder, emulator).sent == 3
    (folder / "out" / STORE).unlink()  # what runs know is in a file of its own
    again = _try(folder, emulator, rows=4)
    assert (again.sent, again.paid_before, again.remembered, _paid(emulator)) == (1, 0, 3, 4)
    assert [shown.status for shown in again.rows if shown.row != 2] == ["answered"] * 4
    assert _try(folder, emulator, out=folder / "elsewhere").remembered == 0


def test_a_try_gives_no_answer_that_another_model_may_replace(folder: Path, emulator: RunningEmulator) -> None:
    """A recipe with `escalate` keeps its tries to itself."""
    with (folder / "ask.yaml").open("a", encoding="utf-8") as recipe:
        recipe.write("remember: 90d\nescalate: {to: claude-sonnet-5-5, when: [refusal]}\n")
    _try(folder, emulator)
    (folder / "out" / STORE).unlink()
    assert _try(folder, emulator).remembered == 0


def test_an_unsure_answer_is_tried_with_the_other_model(folder: Path) -> None:
    """Both answers are in the cost and in that of the whole file; a second try pays for neither."""
    other = "claude-sonnet-5-5"
    recipe = (
        "model: claude-haiku-5-5\nmax_tokens: 50\nprompt: 'Rate {{ review }}'\n"
        "answer: {label: {enum: [a, b]}, confidence: number}\n"
        f"escalate: {{to: {other}, when: confidence < 0.6}}\n"
    )
    (folder / "ask.yaml").write_text(recipe, encoding="utf-8")
    rates = {"claude-haiku-5-5": 0.5, other: 0.0}
    with running_emulator(speed=1, accepted_keys=["sk-mine"], unsure_rates=rates) as emulator:
        ended = _try(folder, emulator, rows=12, is_random=True)
        assert all(shown.answer["confidence"] >= 0.6 for shown in ended.rows if shown.status == "answered")
        escalated = [shown for shown in ended.rows if shown.model == other]
        assert 1 <= len(escalated) < 12
        assert ended.sent == _paid(emulator) == 12 + len(escalated)
        assert ended.cost_usd == Decimal(emulator.bill_summary()["usd"])
        again = _try(folder, emulator, rows=12, is_random=True)
        assert (again.sent, again.paid_before) == (0, ended.sent)
        assert "claude-sonnet-5-5" in _printed(ended)


def _printed(ended: Tried) -> str:
    out = io.StringIO()
    print_tried(ended, SafeConsole(file=out, width=200))
    return out.getvalue()
