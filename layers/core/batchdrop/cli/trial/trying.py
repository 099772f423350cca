"""`batchdrop try`: answer a few rows, show what changed since the last try, and what the whole file would cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from batchdrop.adapters.sqlite.answers import SqliteAnswerStore
from batchdrop.answers.columns import NewColumns
from batchdrop.answers.odd_records import read_line
from batchdrop.answers.outcome import Outcome, of_result, rejected
from batchdrop.answers.result import Message
from batchdrop.cli.run.kept_answers import answers_file
from batchdrop.cli.run.service import Service
from batchdrop.cli.trial.remembering import publish, recalled
from batchdrop.cli.trial.rows import Trial, TriedRow, chosen_rows
from batchdrop.cli.trial.sending import send_all
from batchdrop.cli.trial.tried_answers import TriedAnswers
from batchdrop.job.remembering import AnswersOf
from batchdrop.money.cost import dollars, unit_of
from batchdrop.money.prices import PriceTable, effective
from batchdrop.recipe.lane import Lane
from batchdrop.requests.conversation import columns_used

STORE = "tried.sqlite"  # beside it, the answers that runs remember


@dataclass(frozen=True, slots=True)
class Shown:
    """A tried row. `answer` has the new columns, `was` those of the last try that were different.

    `is_new`: its request was sent now, and paid; else its answer is of an earlier try.
    """

    row: int
    cells: dict[str, Any]
    status: str
    error: str
    answer: dict[str, Any]
    was: dict[str, str]
    is_new: bool


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of a try. Costs are dollars; None if the model has no known price.

    `requests` counts those of the whole file, and `whole_file_usd` is its projected cost by lane; None and empty if the
    file was not read to its end. `remembered` counts the answers that earlier runs paid for.
    """

    rows: list[Shown]
    sent: int
    paid_before: int
    cost_usd: Decimal | None
    requests: int | None = None
    whole_file_usd: dict[Lane, Decimal | None] = field(default_factory=dict)
    remembered: int = 0


@dataclass(frozen=True, slots=True)
class Trying:
    """What to try: a recipe with a file, how many rows, and where answers are kept. `pays_again`: ignore kept ones."""

    recipe: Path
    file: Path
    rows: int
    is_random: bool
    files: Path | None
    out: Path
    pays_again: bool = False


def tried(trying: Trying, service: Service) -> Tried:
    """Answer rows with the Messages API. Raises JobFault like a job, and AccountTrouble for the key and the account."""
    trial = chosen_rows(trying.recipe, trying.file, count=trying.rows, is_random=trying.is_random, files=trying.files)
    requests = {row.number: row.params for row in trial.rows if row.params is not None}
    betas = tuple(trial.recipe.betas)
    place = f"{trying.recipe.resolve()}\0{trying.file.resolve()}\0{service.base_url or ''}"
    kept = partial(SqliteAnswerStore, answers_file(trying.out, service))
    with TriedAnswers(trying.out / STORE, service.base_url or "") as answers:
        lines = {} if trying.pays_again else answers.found(requests, betas)
        known = _remembered(trial, requests, lines, trying, kept)
        lines |= known
        new = {number: params for number, params in requests.items() if number not in lines}

        def keep(number: int, line: bytes) -> None:
            lines[number] = line
            if _message(line) is not None:
                answers.keep(new[number], betas, line)

        if new:
            send_all(service, new, betas, keep)
            publish(trial, new, lines, kept)
        before = answers.last_shown(place)
        shown = [
            _shown(row, trial, lines.get(row.number), before.get(row.number, {}), is_new=row.number in new)
            for row in trial.rows
        ]
        answers.note_shown(place, {one.row: _texts(one.answer) for one in shown if one.answer})
    return _summed(trial, shown, lines, new, remembered=len(known))


def _remembered(
    trial: Trial, requests: Mapping[int, bytes], lines: Mapping[int, bytes], trying: Trying, kept: AnswersOf
) -> dict[int, bytes]:
    """Return the lines that the answers of earlier runs have, of requests that no earlier try has paid."""
    if trying.pays_again:
        return {}
    return recalled(trial, {number: params for number, params in requests.items() if number not in lines}, kept)


def _shown(row: TriedRow, trial: Trial, line: bytes | None, before: Mapping[str, str], *, is_new: bool) -> Shown:
    outcome = rejected(row.reason) if line is None else of_result(read_line(line).result, trial.shape)
    answer = _answer(outcome, trial.shape.columns)
    texts = _texts(answer)
    was = {name: text for name, text in before.items() if texts and texts.get(name) != text}
    used = columns_used(trial.recipe)
    cells = {name: value for name, value in row.cells.items() if not used or name in used}
    return Shown(row.number, cells, outcome.status, outcome.error, answer, was, is_new)


def _answer(outcome: Outcome, columns: NewColumns) -> dict[str, Any]:
    values = dict(zip((column.name for column in columns.answer), outcome.values, strict=False))
    return values or ({columns.raw: outcome.raw} if columns.raw and outcome.raw else {})


def _texts(answer: Mapping[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in answer.items()}


def _summed(
    trial: Trial, shown: list[Shown], lines: Mapping[int, bytes], new: Mapping[int, bytes], *, remembered: int
) -> Tried:
    prices = effective(trial.manifest.prices)
    messages = {number: message for number, line in lines.items() if (message := _message(line)) is not None}
    cost = _cost([message for number, message in messages.items() if number in new], "live", prices)
    whole: dict[Lane, Decimal | None] = {}
    if trial.requests is not None and messages:
        for lane in ("batch", "live"):
            usd = _cost(messages.values(), lane, prices)
            whole[lane] = None if usd is None else usd / len(messages) * trial.requests
    before = len(lines) - len(new) - remembered
    return Tried(shown, len(new), before, cost, trial.requests, whole, remembered)


def _message(line: bytes) -> Message | None:
    return getattr(read_line(line).result, "message", None)


def _cost(messages: Iterable[Message], lane: Lane, prices: PriceTable | None) -> Decimal | None:
    tokens = []
    for message in messages:
        unit = unit_of(message, lane)
        unit.add([message.usage])
        tokens.append(unit)
    return dollars(tokens, prices)
