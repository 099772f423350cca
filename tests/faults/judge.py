"""The judge: reads the emulator's own books and the files that the user gets, and asks the product nothing.

It knows the layout of the bucket, the form of a custom_id and the rules of the promise, no code of batchdrop.
"""

from __future__ import annotations

import csv
import io
import json
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.faults.books import Books
from tests.faults.drawn_rows import asked_twice
from tests.faults.escalated_judge import escalation_faults
from tests.faults.schedule import BAD, LONG, MODEL, OTHER_MODEL, ROOM_OF_WAVES, Schedule
from tests.faults.upload import HEADER, row_texts, table_name

KNOWN_TYPES = {"succeeded", "errored", "canceled", "expired"}
GREEN = "succeeded"
PAID = {"answered", "unusable"}  # fates
UNSURE = {"unreadable", "uncertain"}  # statuses of rows that may be paid
TOLD = {"": GREEN, "JobFailed": "failed", "JobCanceled": "canceled"}  # an execution's error to its summary's status


@dataclass
class Asked:
    """What the emulator's books say of one request of ours: each result it gave, and whether it was billed."""

    texts: list[str] = field(default_factory=list)  # of billed answers
    results: list[str] = field(default_factory=list)  # types


@dataclass
class Verdict:
    """What is wrong; nothing, if all went well."""

    faults: list[str] = field(default_factory=list)
    lost: int = 0
    paid_twice: int = 0
    billed: int = 0
    sent_again: int = 0  # on purpose: a smaller max_tokens had cut their answer

    def say(self, fault: str) -> None:
        """Note a fault."""
        self.faults.append(fault)


@dataclass(frozen=True)
class Ending:
    """The end of one execution: how it ended, and the bucket as it was then.

    `kept` are the keys that were there when closing began; what came during it need not be in the output.
    """

    status: str  # of the execution: SUCCEEDED, FAILED, ABORTED
    error: str
    objects: dict[str, bytes]
    kept: frozenset[str]


class Judge:
    """Judges one run of one job."""

    def __init__(self, schedule: Schedule, job_id: str, books: Books) -> None:
        self._schedule = schedule
        self._job_id = job_id
        self._books = books
        self._prefix = f"results/judge/{table_name(schedule)}/{job_id}/"
        self.verdict = Verdict()
        self._limited: set[str] = set()

    def interim(self, ending: Ending) -> None:
        """Judge what the user sees at the end of an execution that may be resumed."""
        if ending.status == "ABORTED" or ending.error not in TOLD:
            return  # closing the job did not come to its end: nobody has said that these files are whole
        summary = self._summary(ending)
        if summary is None:
            self.verdict.say(f"the execution ended {ending.status} {ending.error}, without a summary")
            return
        if TOLD[ending.error] != summary["status"]:
            self.verdict.say(f"the execution ended {ending.status}, its summary says {summary['status']}")
        if summary["outputs"]["output"]:
            self._check_files(ending, summary)
        elif summary["status"] == GREEN:
            self.verdict.say("green without an output")

    def final(self, ending: Ending, *, claims: Iterable[str]) -> Verdict:
        """Judge the whole job, when nothing of it runs any more."""
        asked = self._asked()
        self._limited = _limited(ending.objects) if self._schedule.goes_in_waves else set()
        self._check_bill(asked)
        self._check_foreign(claims)
        self._check_paid_is_given(ending, asked)
        self._check_cost(ending)
        self._check_escalations(ending)
        return self.verdict

    def _check_escalations(self, ending: Ending) -> None:
        """Each answer that met `when` went to the other model, and the better of both is in the output."""
        if ending.status != "SUCCEEDED" or not self._schedule.escalates or self._schedule.live is not None:
            return
        rows, lied = self._output_rows(ending) or [], self._lied_about(ending)
        ours = [one for one in self._books.results() if self._is_ours(one.custom_id) and one.custom_id not in lied]
        sent = _sent_to(ending.objects, OTHER_MODEL)
        shown = {one.custom_id: rows[self.row_of(one.custom_id)] for one in ours} if rows else {}
        for fault in escalation_faults(ours, sent, shown):
            self.verdict.say(fault)

    # --- the bill

    def _asked(self) -> dict[str, Asked]:
        """Return what the emulator did with each request of ours."""
        all_asked: dict[str, Asked] = {}
        for result in self._books.results():
            if self._is_ours(result.custom_id):
                asked = all_asked.setdefault(result.custom_id, Asked())
                asked.results.append(result.type)
                if result.type == "succeeded":
                    asked.texts.append(result.text)
        return all_asked

    def _check_bill(self, all_asked: dict[str, Asked]) -> None:
        charges = [charge for charge in self._books.charges() if self._is_ours(charge.custom_id)]
        per_batch = Counter((charge.batch_id, charge.custom_id) for charge in charges)
        assert max(per_batch.values(), default=0) <= 1, "the emulator billed a request twice in one Message Batch"
        billed = Counter((charge.custom_id, charge.model) for charge in charges)
        self.verdict.billed = billed.total()
        for custom_id, times in Counter(charge.custom_id for charge in charges).items():
            if times != len(all_asked[custom_id].texts):
                self.verdict.say(f"the emulator contradicts itself about {custom_id}")
        repeats = dict(self._schedule.repeats)
        for custom_id in all_asked:
            if self.row_of(custom_id) in repeats:
                self.verdict.say(f"{custom_id} was sent, and row {repeats[self.row_of(custom_id)]} asks the same")
        for fault in asked_twice(self._schedule, map(self.row_of, all_asked)):
            self.verdict.paid_twice += 1
            self.verdict.say(fault)
        for (custom_id, model), times in billed.items():
            allowed = self._allowed(self._kind(custom_id), model)
            if custom_id in self._limited and times > 1 and model == MODEL:
                allowed += 1
                self.verdict.sent_again += 1
            if times > allowed:
                self.verdict.paid_twice += 1
                self.verdict.say(f"{custom_id} ({self._kind(custom_id)}) was billed {times} times by {model}")

    def _allowed(self, kind: str, model: str) -> int:
        """Return how often a model may be paid for a row: once, and once more where the recipe asks it again."""
        if model == OTHER_MODEL:
            return int(self._schedule.escalates)
        is_raised = self._schedule.raises_max_tokens and "max_tokens" in kind
        is_mended = self._schedule.retries_invalid and "invalid_json" in kind
        return 2 if is_raised or is_mended else 1

    def _check_foreign(self, claims: Iterable[str]) -> None:
        ours = {batch.id for batch in self._books.batches() if batch.custom_ids and self._is_ours(batch.custom_ids[0])}
        for batch in self._books.batches():
            if batch.id not in ours and batch.is_touched:
                self.verdict.say(f"foreign {batch.id} was canceled or deleted")
        for claimed in set(claims) - ours:
            self.verdict.say(f"foreign {claimed} was adopted")

    def _is_ours(self, custom_id: str) -> bool:
        return custom_id.startswith(f"{self._job_id}-")

    def row_of(self, custom_id: str) -> int:
        """Return the row of a custom_id, from 0."""
        shard, index = custom_id.rsplit("-", 2)[1:]
        return self._schedule.row_number(int(shard), int(index))

    def _kind(self, custom_id: str) -> str:
        return self._schedule.rows[self.row_of(custom_id)]

    # --- what the user gets

    def _summary(self, ending: Ending) -> Any:
        body = ending.objects.get(f"{self._prefix}summary.json")
        return None if body is None else json.loads(body)

    def _check_files(self, ending: Ending, summary: Any) -> None:
        rows = self._output_rows(ending)
        if rows is None:
            return
        fates = Counter(fate_of(row["_status"]) for row in rows)
        tally = summary["tally"]
        told = {name: tally[name] for name in ("answered", "unusable", "failed", "rejected")}
        if told != {name: fates[name] for name in told} or tally["rows"] != len(rows):
            self.verdict.say(f"the summary tells {told}, the output {dict(fates)}")
        failed = ending.objects[f"{self._prefix}failed.jsonl"].decode().splitlines()
        unsure = sum(row["_status"] in UNSURE for row in rows)
        if len(failed) != len(rows) - fates["answered"] - unsure:
            self.verdict.say(
                f"failed.jsonl has {len(failed)} rows of {len(rows)}: {dict(fates)}, {unsure} perhaps paid"
            )
        listed = ending.objects.get(f"{self._prefix}perhaps-paid.jsonl", b"").splitlines()
        if not unsure == len(listed) == summary["perhaps_paid"]["rows"]:
            self.verdict.say(f"{unsure} rows are perhaps paid, but perhaps-paid.jsonl or the summary has others")
        self._check_kept(ending, rows)
        self._check_repeats(rows)
        if summary["status"] == GREEN:
            self._check_green(rows)
            if not fates["answered"]:
                self.verdict.say("green without one answer")

    def _check_repeats(self, rows: list[dict[str, str]]) -> None:
        """A row that repeats an earlier one has that one's answer."""
        for number, origin in self._schedule.repeats:
            first, again = rows[origin], rows[number]
            shared = ("_status", "answer") if fate_of(first["_status"]) in PAID else ()
            for name in shared:
                if first[name] != again[name]:
                    self.verdict.lost += 1
                    self.verdict.say(f"row {number} repeats row {origin}: {name} {again[name]!r}, {first[name]!r}")

    def _check_green(self, rows: list[dict[str, str]]) -> None:
        """A green job has asked every row that can be asked, also those that no Message Batch came to in 24 hours."""
        sent = (custom_id for batch in self._books.batches() for custom_id in batch.custom_ids)
        asked = {self.row_of(custom_id) for custom_id in sent if self._is_ours(custom_id)}
        for number, kind in enumerate(self._schedule.rows):
            if kind != BAD and self._schedule.origin(number) not in asked:
                self.verdict.say(f"green, but row {number} was never asked")

    def _check_kept(self, ending: Ending, rows: list[dict[str, str]]) -> None:
        """An answer that was collected is in the output, however the job ended."""
        for key, body in ending.objects.items():
            if key not in ending.kept or not key.startswith(f"jobs/{self._job_id}/answers/"):
                continue
            for found in _records(body):
                if found["result"]["type"] != "succeeded" or not self._is_ours(found["custom_id"]):
                    continue
                number = self.row_of(found["custom_id"])
                if fate_of(rows[number]["_status"]) not in PAID:
                    self.verdict.lost += 1
                    self.verdict.say(
                        f"row {number} has a collected answer, but the output says {rows[number]['_status']}"
                    )

    def _output_rows(self, ending: Ending) -> list[dict[str, str]] | None:
        """Return the output's rows; None, and a fault, if they are not the input's, each once and in order."""
        body = ending.objects.get(f"{self._prefix}output.{self._schedule.format}")
        if body is None:
            self.verdict.say("the summary names an output that is not there")
            return None
        texts = row_texts(self._schedule)
        rows = list(_csv_rows(body) if self._schedule.format == "csv" else _jsonl_rows(body))
        if len(rows) != len(texts):
            self.verdict.lost += abs(len(texts) - len(rows))
            self.verdict.say(f"the output has {len(rows)} rows, the input {len(texts)}")
            return None
        for number, (row, text, kind) in enumerate(zip(rows, texts, self._schedule.rows, strict=True)):
            if kind == BAD:
                if row["_status"] != "rejected":
                    self.verdict.say(f"row {number} cannot be asked, but is {row['_status']}")
            elif not self._is_row(row, text):
                self.verdict.lost += 1
                self.verdict.say(f"row {number} is not the input's: {row}")
        return rows

    def _is_row(self, row: dict[str, str], text: str) -> bool:
        if self._schedule.format == "csv":
            cells = next(csv.reader(io.StringIO(text, newline="")))
            return [row[name] for name in HEADER.split(",")] == cells
        given = json.loads(text)
        return all(row.get(name) == value for name, value in given.items())

    def _check_paid_is_given(self, ending: Ending, all_asked: dict[str, Asked]) -> None:
        summary = self._summary(ending)
        if ending.status != "SUCCEEDED":
            return  # the job says why it is not; what was collected is judged by `interim`
        if summary is None or not summary["outputs"]["output"]:
            if all_asked:
                self.verdict.lost += len(all_asked)
                self.verdict.say("requests were asked, but there is no output in the end")
            return
        rows = self._output_rows(ending)
        lied = self._lied_about(ending)
        for custom_id, asked in all_asked.items() if rows else ():
            row = rows[self.row_of(custom_id)] if rows else {}
            if asked.texts and custom_id not in lied:
                if fate_of(row["_status"]) not in PAID:
                    self.verdict.lost += 1
                    self.verdict.say(f"{custom_id} was billed, but the output says {row['_status']}: {row['_error']}")
                elif not self._is_its_own(row, asked.texts):
                    self.verdict.say(f"{custom_id} has an answer that is not its own: {row['answer']!r}")
            if not asked.texts and fate_of(row["_status"]) in PAID:
                self.verdict.say(f"{custom_id} is answered, but nobody did")
            if self._kind(custom_id) == LONG and row["_status"] == "max_tokens":
                self.verdict.say(f"{custom_id} was cut by a limit that is not the recipe's, and not sent again")

    def _is_its_own(self, row: dict[str, str], texts: list[str]) -> bool:
        """Tell whether a row has an answer that was given to it; a typed one stands in its field, or raw in `_raw`."""
        if not self._schedule.is_typed:
            return row["answer"] in texts
        if row["_status"] == "answered":
            return row["answer"] in [json.loads(text)["answer"] for text in texts if _is_json(text)]
        return (row["_raw"] or "") in texts

    def _lied_about(self, ending: Ending) -> set[str]:
        """Return the requests whose result the API gave in a type that no one can understand."""
        lied = set()
        for key, body in ending.objects.items():
            if key.startswith(f"jobs/{self._job_id}/answers/"):
                lied |= {one["custom_id"] for one in _records(body) if one["result"]["type"] not in KNOWN_TYPES}
        return lied

    def under_the_cap(self, cap: float | None) -> None:
        """Judge the bill as it stands now: not a fraction of a cent above what the recipe says."""
        billed = sum((charge.usd for charge in self._books.charges() if self._is_ours(charge.custom_id)), Decimal(0))
        if cap is not None and billed > Decimal(f"{cap:.8f}"):
            self.verdict.say(f"the bill is ${billed}, and the recipe says max_cost_usd: {cap:.8f}")

    def _check_cost(self, ending: Ending) -> None:
        """The money invariant: the bill is the summary's cost, and the requests that it lists as perhaps paid."""
        summary = self._closed_summary(ending)
        if summary is None:
            return
        charges = [charge for charge in self._books.charges() if self._is_ours(charge.custom_id)]
        extra = sum((charge.usd for charge in charges), Decimal(0)) - Decimal(str(summary["cost"]["usd"]))
        self._check_extra(summary, extra)
        listed = self.perhaps_paid(ending)
        if summary["perhaps_paid"]["requests"] == len(listed):
            expected = sum((charge.usd for charge in charges if charge.custom_id in listed), Decimal(0))
            if extra != expected:
                self.verdict.say(f"the bill is ${extra} above the cost, the listed rows were billed ${expected}")

    def _closed_summary(self, ending: Ending) -> Any:
        """Return the summary of a job that was closed with an output; else None."""
        summary = self._summary(ending)
        is_closed = ending.status != "ABORTED" and ending.error in TOLD
        return summary if is_closed and summary is not None and summary["outputs"]["output"] else None

    def _check_extra(self, summary: Any, extra: Decimal) -> None:
        """Judge what the bill has beyond the summary's cost."""
        listed = summary["perhaps_paid"]
        most = Decimal(str(listed["worst_usd"]))
        if not 0 <= extra <= most:
            self.verdict.say(
                f"the bill is ${extra} above the summary's ${summary['cost']['usd']}, which lists "
                f"{listed['requests']} requests of at most ${most}"
            )

    def perhaps_paid(self, ending: Ending) -> dict[str, str | None]:
        """Return the custom_ids in perhaps-paid.jsonl, each with its Message Batch."""
        body = ending.objects.get(f"{self._prefix}perhaps-paid.jsonl", b"")
        rows = [json.loads(line) for line in body.splitlines()]
        return {row["_custom_id"]: row["_message_batch"] for row in rows}


def _sent_to(objects: dict[str, bytes], model: str) -> set[str]:
    """Return the custom_ids in the create bodies whose request names this model."""
    bodies = [body for key, body in objects.items() if key.startswith("jobs/") and key.endswith(".requests.json")]
    requests = [request for body in bodies for request in json.loads(body)["requests"]]
    return {one["custom_id"] for one in requests if one["params"]["model"] == model}


def _limited(objects: dict[str, bytes]) -> set[str]:
    """Return the custom_ids that a round sent with less than the recipe's max_tokens."""
    bodies = [body for key, body in objects.items() if key.startswith("jobs/") and key.endswith(".requests.json")]
    requests = [request for body in bodies for request in json.loads(body)["requests"]]
    return {one["custom_id"] for one in requests if one["params"].get("max_tokens", ROOM_OF_WAVES) < ROOM_OF_WAVES}


def _records(body: bytes) -> Iterator[Any]:
    """Yield the records of a results file, as a gateway may have passed it on: after a BOM, with CRLF."""
    for line in body.removeprefix(BOM_UTF8).splitlines():
        if line:
            yield json.loads(line)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def fate_of(status: str) -> str:
    """Return the fate that a status is counted under."""
    match status:
        case "failed" | "canceled" | "not_sent" | "over_budget" | "unreadable" | "uncertain":
            return "failed"
        case "rejected" | "answered":
            return status
        case "remembered":
            return "answered"
        case _:
            return "unusable"


def _csv_rows(body: bytes) -> Iterator[dict[str, str]]:
    for row in csv.DictReader(io.StringIO(body.decode(), newline="")):
        assert None not in row, f"a row wider than the header: {row}"
        yield row


def _jsonl_rows(body: bytes) -> Iterator[dict[str, str]]:
    for line in body.decode().splitlines():
        yield json.loads(line)
