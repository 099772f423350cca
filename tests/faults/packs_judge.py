"""Judges a job with packs: by the create bodies in the bucket, it knows which rows each request had."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.faults.books import Result
from tests.faults.escalated_judge import escalation_faults
from tests.faults.judge import PAID, Asked, Ending, Judge, _is_json, fate_of
from tests.faults.schedule import OTHER_MODEL

_ROUND = re.compile(r"/shards/(\d{5})\.(?:r(\d+)\.)?requests\.json$")
_NUMBER = re.compile(r"thing number (\d+)")

Place = tuple[int, int, str]  # shard, round, custom_id


@dataclass(frozen=True)
class Given:
    """What one billed request gave its rows: each row's answer, None where it has none."""

    place: Place
    rows: tuple[int, ...]
    answers: dict[int, str]
    model: str


class PacksJudge(Judge):
    """Judges one run of a job with packs. A request is a row alone, or a pack."""

    def interim(self, ending: Ending) -> None:
        """Judge what the user sees at the end of an execution that may be resumed."""
        self._bodies = _bodies(ending.objects)
        super().interim(ending)

    def row_of(self, custom_id: str) -> int:
        """Return the row of the table that a request is about: in a grouped job, its own text says it."""
        if not self._schedule.is_grouped:
            return super().row_of(custom_id)
        return self._bodies[int(custom_id.split("-")[-2]), 0, custom_id][0]

    def final(self, ending: Ending, *, claims: Any) -> Any:
        """Judge the whole job, when nothing of it runs any more."""
        self._bodies = _bodies(ending.objects)
        self._models = {place: params["model"] for place, params in _params(ending.objects)}
        summary = self._summary(ending) or {"message_batches": []}
        self._rounds = {one["id"]: (one["shard"], one["round"]) for one in summary["message_batches"]}
        return super().final(ending, claims=claims)

    def _given(self) -> list[Given]:
        """Return what each billed request of ours gave."""
        return [
            self._read(result)
            for result in self._books.results()
            if self._is_ours(result.custom_id) and result.type == "succeeded"
        ]

    def _read(self, result: Result) -> Given:
        place = (*self._rounds.get(result.batch_id, (-1, -1)), result.custom_id)
        rows = self._bodies.get(place) or (self.row_of(result.custom_id),)
        return self._given_in(place, rows, result.text, result.model)

    @staticmethod
    def _given_in(place: Place, rows: tuple[int, ...], text: str, model: str) -> Given:
        answers = {rows[0]: text} if len(rows) == 1 else _by_row(text, rows)
        return Given(place, rows, answers, model)

    def _check_bill(self, all_asked: dict[str, Asked]) -> None:
        charges = [charge for charge in self._books.charges() if self._is_ours(charge.custom_id)]
        given = self._given()
        self.verdict.billed = len(charges)
        if len(charges) != len(given):
            self.verdict.say(f"{len(charges)} requests were billed, {len(given)} were answered")
        packs = Counter((one.rows, one.model) for one in given if len(one.rows) > 1)
        alone = Counter((one.rows[0], one.model) for one in given if len(one.rows) == 1)
        in_packs = Counter((row, model) for (rows, model), times in packs.items() for row in rows for _ in range(times))
        for (rows, _), times in packs.items():
            if times > 1:
                self._twice(f"the pack of rows {rows} was billed {times} times")
        for (row, _), times in in_packs.items():
            if times > 1:
                self._twice(f"row {row} was in {times} packs that were billed")
        answered = {(row, one.model) for one in given if len(one.rows) > 1 for row in one.answers}
        for (row, model), times in alone.items():
            kind = self._schedule.rows[row]
            if times > self._allowed(kind, model):
                self._twice(f"row {row} ({kind}) was billed {times} times alone")
            if (row, model) in answered:
                self._twice(f"row {row} was answered in a pack, and billed alone")

    def _check_escalations(self, ending: Ending) -> None:
        if ending.status != "SUCCEEDED" or not self._schedule.escalates or self._schedule.live is not None:
            return
        lied = self._lied_about(ending)
        hidden = {row for one in self._given() if one.place[2] in lied for row in one.rows}
        answers = [
            Result(str(row), "succeeded", text, model=one.model)
            for one in self._given()
            for row, text in one.answers.items()
            if row not in hidden
        ]
        sent = {str(row) for place in self._sent_to(ending.objects) for row in self._bodies[place]}
        shown = {str(number): cells for number, cells in enumerate(self._output_rows(ending) or ())}
        for fault in escalation_faults(answers, sent, shown):
            self.verdict.say(fault)

    def _sent_to(self, objects: dict[str, bytes]) -> list[Place]:
        """Return the requests for the other model."""
        return [place for place, params in _params(objects) if params["model"] == OTHER_MODEL]

    def _twice(self, fault: str) -> None:
        self.verdict.paid_twice += 1
        self.verdict.say(fault)

    def _check_green(self, rows: list[dict[str, str]]) -> None:
        """The answers of a green job are judged at the end, when it is known which rows each request had."""

    def _check_paid_is_given(self, ending: Ending, all_asked: dict[str, Asked]) -> None:
        summary = self._summary(ending)
        if ending.status != "SUCCEEDED" or summary is None or not summary["outputs"]["output"]:
            return
        rows, lied = self._output_rows(ending), self._lied_about(ending)
        texts: dict[int, list[str]] = defaultdict(list)
        paid: set[int] = set()
        hidden: set[int] = set()  # rows whose answer the API gave in a type that nobody can understand
        for one in self._given() if rows else ():
            paid |= set(one.rows)
            hidden |= set(one.rows) if one.place[2] in lied else set()
            for row, text in one.answers.items():
                texts[row].append(text)
        for number, cells in enumerate(rows or ()):
            status, own = cells["_status"], texts[number]
            is_paid = fate_of(status) in PAID
            if own and not is_paid and number not in hidden:
                self._lose(f"row {number} was answered, but the output says {status}: {cells['_error']}")
            if status == "answered" and cells["answer"] not in map(_answer_in, own):
                self._lose(f"row {number} has an answer that is not its own: {cells['answer']!r} of {own}")
            if is_paid and number not in paid:
                self.verdict.say(f"row {number} is {status}, but nobody paid for it")

    def _lose(self, fault: str) -> None:
        self.verdict.lost += 1
        self.verdict.say(fault)


def _bodies(objects: dict[str, bytes]) -> dict[Place, tuple[int, ...]]:
    """Return the rows of each request, by its round and custom_id."""
    return {place: _rows_in(params) for place, params in _params(objects)}


def _params(objects: dict[str, bytes]) -> Iterator[tuple[Place, Any]]:
    """Yield the `params` of each request in the create bodies."""
    for key, body in objects.items():
        named = _ROUND.search(key) if key.startswith("jobs/") else None
        if named is not None:
            for request in json.loads(body)["requests"]:
                yield (int(named[1]), int(named[2] or 0), request["custom_id"]), request["params"]


def _rows_in(params: Any) -> tuple[int, ...]:
    content = params["messages"][-1]["content"]
    blocks = [content] if isinstance(content, str) else [block["text"] for block in content]
    return tuple(int(number[1]) for block in blocks if (number := _NUMBER.search(block)))


def _by_row(text: str, rows: tuple[int, ...]) -> dict[int, str]:
    """Return the answers that a pack's rows can trust: none if it has a number twice, or one that nobody asked for.

    Of an answer that was cut, the complete objects count.
    """
    objects = json.loads(text)["rows"] if _is_json(text) else _before_the_cut(text)
    found: dict[int, str] = {}
    for one in objects:
        number = one.pop("row", 0)
        told = json.dumps(one)
        if not 1 <= number <= len(rows) or found.setdefault(rows[number - 1], told) != told:
            return {}
    return found


def _before_the_cut(text: str) -> list[dict[str, Any]]:
    if not text.startswith('{"rows":['):
        return []  # a refusal, or prose around the JSON
    whole = re.findall(r"\{[^{}]*\}", text)
    return [json.loads(one) for one in whole]


def _answer_in(text: str) -> str | None:
    answer: str | None = json.loads(text).get("answer") if _is_json(text) else None
    return answer
