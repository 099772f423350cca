"""`batchdrop try`: answer a few rows, show what changed since the last try, and what the whole file would cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from batchdrop.adapters.sqlite.answers import SqliteAnswerStore
from batchdrop.answers.columns import NewColumns
from batchdrop.answers.escalation import escalation_rule
from batchdrop.answers.odd_records import read_line
from batchdrop.answers.outcome import Outcome, of_result, rejected
from batchdrop.answers.result import Message
from batchdrop.answers.tokens import Tokens
from batchdrop.cli.run.kept_answers import answers_file
from batchdrop.cli.run.service import Service
from batchdrop.cli.trial.remembering import publish, recalled
from batchdrop.cli.trial.rows import Change, Trial, TriedRow, chosen_rows
from batchdrop.cli.trial.sending import send_all
from batchdrop.cli.trial.tried_answers import TriedAnswers
from batchdrop.finish.leftovers import changed_params
from batchdrop.money.cost import dollars, unit_of
from batchdrop.money.prices import effective
from batchdrop.recipe.lane import Lane
from batchdrop.report.gold_block import GoldBlock, gold_blocks
from batchdrop.report.gold_counts import GoldByField, GoldCounter
from batchdrop.requests.conversation import columns_used

STORE = "tried.sqlite"  # beside it, the answers that runs remember


@dataclass(frozen=True, slots=True)
class Shown:
    """A tried row. `answer` has the new columns, `was` those of the last try that were different.

    `is_new`: its request was sent now, and paid; else its answer is of an earlier try. `model` is the other model, if
    that gave the answer. `seconds` is how long the answer took.
    """

    row: int
    cells: dict[str, Any]
    status: str
    error: str
    answer: dict[str, Any]
    was: dict[str, str]
    is_new: bool
    model: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of a try. Costs are dollars; None if the model has no known price.

    `requests` counts those of the whole file, and `whole_file_usd` is its projected cost by lane; None and empty if the
    file was not read to its end. `remembered` counts the answers that earlier runs paid for. `shared`
    counts the rows that share the answer of another one. `gold` compares answers with the truth of the rows. `tokens`
    are those of all answers, of this and earlier tries.
    """

    rows: list[Shown]
    sent: int
    paid_before: int
    cost_usd: Decimal | None
    requests: int | None = None
    whole_file_usd: dict[Lane, Decimal | None] = field(default_factory=dict)
    remembered: int = 0
    shared: int = 0
    gold: list[GoldBlock] = field(default_factory=list)
    tokens: list[Tokens] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Trying:
    """What to try: a recipe with a file, how many rows, and where answers are kept. `pays_again`: ignore kept ones.

    `numbers`, if given, are the rows to try. `change` returns the recipe that is used, such as one of another model.
    `own` is the recipe's place, if `recipe` is a draft of it.
    """

    recipe: Path
    file: Path
    rows: int
    is_random: bool
    files: Path | None
    out: Path
    pays_again: bool = False
    numbers: frozenset[int] = frozenset()
    change: Change | None = None
    own: Path | None = None

    @property
    def place(self) -> str:
        """Return what makes later tries comparable with this one: the recipe's place, and the file's."""
        return f"{(self.own or self.recipe).resolve()}\0{self.file.resolve()}"


def tried(trying: Trying, service: Service) -> Tried:
    """Answer rows with the Messages API. Raises JobFault like a job, and AccountTrouble for the key and the account."""
    trial = chosen_rows(
        trying.recipe,
        trying.file,
        count=trying.rows,
        is_random=trying.is_random,
        files=trying.files,
        numbers=trying.numbers,
        change=trying.change,
    )
    requests = {row.number: row.params for row in trial.rows if row.params is not None}
    betas = tuple(trial.recipe.betas)
    place = f"{trying.place}\0{service.base_url or ''}"
    kept = partial(SqliteAnswerStore, answers_file(trying.out, service))
    with TriedAnswers(trying.out / STORE, service.base_url or "") as answers:

        def ask(requests: Mapping[int, bytes], *, remembers: bool = False) -> _Asked:
            lines = {} if trying.pays_again else answers.found(requests, betas)
            rest = {number: params for number, params in requests.items() if number not in lines}
            known = recalled(trial, rest, kept) if remembers else {}
            lines |= known
            new = {number: params for number, params in requests.items() if number not in lines}

            def keep(number: int, line: bytes) -> None:
                lines[number] = line
                if _message(line) is not None:
                    answers.keep(new[number], betas, line)

            own: dict[bytes, int] = {}
            for number, params in new.items():
                own.setdefault(params, number)
            if new:
                send_all(service, {number: params for params, number in own.items()}, betas, keep)
            lines |= {number: lines[own[params]] for number, params in new.items() if own[params] in lines}
            shared = sum(number in lines for number in new) - sum(number in lines for number in own.values())
            return _Asked(lines, frozenset(own.values()), frozenset(known), shared)

        first = ask(requests, remembers=not trying.pays_again)
        if first.new:
            publish(trial, {number: requests[number] for number in first.new}, first.lines, kept)
        second = ask(_escalated(trial, requests, first))
        before = answers.last_shown(place)
        gold: GoldByField = {}
        counter = GoldCounter(gold, trial.shape.gold, lambda _: None)
        shown = [_shown(row, trial, first, second, before.get(row.number, {}), counter) for row in trial.rows]
        answers.note_shown(place, {one.row: _texts(one.answer) for one in shown if one.answer})
    return replace(_summed(trial, shown, first, second), gold=gold_blocks(gold, None))


class _Asked(NamedTuple):
    """The result lines of some rows, which of them were sent now, and which come from the answers of runs.

    `shared` counts the rows that share the answer of another one.
    """

    lines: dict[int, bytes]
    new: frozenset[int]
    remembered: frozenset[int]
    shared: int


def _escalated(trial: Trial, requests: Mapping[int, bytes], asked: _Asked) -> dict[int, bytes]:
    """Return the requests for the other model: those of the rows whose answer meets `when`.

    A remembered answer is the one that counted in its run, so the rule was applied then.
    """
    rule, escalate = escalation_rule(trial.recipe, trial.shape), trial.recipe.escalate
    if rule is None or escalate is None:
        return {}
    own = {number: line for number, line in asked.lines.items() if number not in asked.remembered}
    outcomes = {number: of_result(read_line(line).result, trial.shape) for number, line in own.items()}
    met = [number for number, outcome in outcomes.items() if outcome.message and rule.met_by(outcome) is not None]
    return {number: changed_params(msgspec.Raw(requests[number]), model=escalate.to) for number in met}


def _shown(
    row: TriedRow, trial: Trial, first: _Asked, second: _Asked, before: Mapping[str, str], gold: GoldCounter
) -> Shown:
    line, later = first.lines.get(row.number), second.lines.get(row.number)
    is_new = row.number in first.new or row.number in second.new
    outcome = rejected(row.reason) if line is None else of_result(read_line(line).result, trial.shape)
    other = None if later is None else of_result(read_line(later).result, trial.shape)
    model = ""
    if other is not None and (other.fate == "answered" or (outcome.fate != "answered" and other.message)):
        outcome, model = other, other.message.model if other.message else ""
    gold.add_cells(row.number, row.cells, outcome)
    seconds = [read_line(one).seconds for one in (line, later) if one is not None]
    answer = _answer(outcome, trial.shape.columns)
    texts = _texts(answer)
    was = {name: text for name, text in before.items() if texts and texts.get(name) != text}
    used = columns_used(trial.recipe)
    cells = {name: value for name, value in row.cells.items() if not used or name in used}
    return Shown(row.number, cells, outcome.status, outcome.error, answer, was, is_new, model, _total(seconds))


def _total(seconds: list[float | None]) -> float | None:
    known = [one for one in seconds if one is not None]
    return sum(known) if known else None


def _answer(outcome: Outcome, columns: NewColumns) -> dict[str, Any]:
    values = dict(zip((column.name for column in columns.answer), outcome.values, strict=False))
    return values or ({columns.raw: outcome.raw} if columns.raw and outcome.raw else {})


def _texts(answer: Mapping[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in answer.items()}


def _summed(trial: Trial, shown: list[Shown], first: _Asked, second: _Asked) -> Tried:
    prices, asked = effective(trial.manifest.prices), (first, second)
    answered = [
        (number in one.new, message)
        for one in asked
        for number, line in one.lines.items()
        if (message := _message(line)) is not None
    ]
    cost = dollars(_tokens([message for is_new, message in answered if is_new], "live"), prices)
    rows = sum(_message(line) is not None for line in first.lines.values())
    whole: dict[Lane, Decimal | None] = {}
    if trial.requests is not None and rows:
        for lane in ("batch", "live"):
            usd = dollars(_tokens([message for _, message in answered], lane), prices)
            whole[lane] = None if usd is None else usd / rows * trial.requests
    sent, remembered = sum(len(one.new) for one in asked), len(first.remembered)
    shared = sum(one.shared for one in asked)
    before = sum(len(one.lines) for one in asked) - sent - remembered - shared
    tokens = _tokens([message for _, message in answered], "live")
    return Tried(shown, sent, before, cost, trial.requests, whole, remembered, shared, tokens=tokens)


def _message(line: bytes) -> Message | None:
    return getattr(read_line(line).result, "message", None)


def _tokens(messages: Iterable[Message], lane: Lane) -> list[Tokens]:
    tokens: dict[object, Tokens] = {}
    for message in messages:
        unit = unit_of(message, lane)
        tokens.setdefault(unit.price_key, unit).add([message.usage])
    return [*tokens.values()]
