"""Judges the live lane: each paid answer is in the bucket and in the bill, or there is a reason why it cannot be."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from tests.faults.books import StateBooks
from tests.faults.judge import Asked, Ending, Judge, Verdict
from tests.faults.live_journal import CUT, DELIVERED, REFUSALS, Call, Flush, Journal, RoundName
from tests.faults.schedule import BAD, MODEL, Schedule

MOST_TRIES = 4  # of a request in a round, as docs/architecture.md promises
SHORTEST_WAIT = 29.0  # seconds that a worker leaves each request, however fast the answers before were
KEPT = "kept"
LOST_ON_ITS_WAY = "answer lost on its way"
KILLED = "worker killed"
REFUSED = "store refused the flush"
DROPPED = "dropped"


class LiveJudge(Judge):
    """Judges one run of one job whose shards may go live.

    `explained` counts the answers that were paid for and are in no output, each with its reason, and those that two
    workers were paid for.
    """

    def __init__(self, schedule: Schedule, job_id: str, books: StateBooks, journal: Journal) -> None:
        super().__init__(schedule, job_id, books)
        assert schedule.live is not None
        self._most_lost = schedule.live.window + schedule.live.flush_lines
        self._live_books = books
        self._journal = journal
        self._missed: list[Call] = []  # flushed answers that no round collected
        self.explained: Counter[str] = Counter()

    def final(self, ending: Ending, *, claims: Iterable[str]) -> Verdict:
        """Judge the whole job, when nothing of it runs any more."""
        self._missed = self._uncollected(ending)
        verdict = super().final(ending, claims=claims)
        self._check_flushed_is_not_asked()
        self._check_delivered_is_not_asked()
        self._check_sends()
        self._check_one_at_a_time()
        self._check_fates()
        return verdict

    # --- who asked what, and when

    def _check_flushed_is_not_asked(self) -> None:
        """The lane's main promise: what has a line in the bucket is not asked again in its round."""
        for call in self._journal.calls:
            looked_at = self._journal.looked_at.get(call.worker)
            if looked_at is None:
                self.verdict.say(f"{call.worker} asked row {call.row} without a look at what is flushed")
                continue
            for flush in self._flushes_of(call):
                known_since = call.sent_at if flush.worker == call.worker else looked_at
                if flush.at < known_since and call.row in dict(flush.lines):
                    self.verdict.paid_twice += call.usd is not None
                    self.verdict.say(f"{call.worker} asked row {call.row}, which {flush.worker} had flushed")

    def _check_delivered_is_not_asked(self) -> None:
        """A worker that has seen a 200, whole or cut, does not send its row again."""
        cut: set[tuple[str, int]] = set()
        for call in self._journal.calls:
            if (call.worker, call.row) in cut:
                self.verdict.paid_twice += call.usd is not None
                self.verdict.say(f"{call.worker} asked row {call.row} again after a 200 whose body was cut")
            if call.end == CUT:
                cut.add((call.worker, call.row))

    def _check_sends(self) -> None:
        """A request has so many tries in a round, over all workers.

        The next worker cannot know those of one that crashed, or that wrote its line after the next had looked.
        Refusals use up none. No answer is cut off because its worker's time ends: that would be a request opened late.
        """
        tries: dict[tuple[int, RoundName], list[Call]] = {}
        for call in self._journal.calls:
            if call.end not in REFUSALS:
                tries.setdefault((call.row, self._journal.slices[call.worker][:2]), []).append(call)
        for (row, _), calls in tries.items():
            unknown = {call.worker for call in calls} & (self._journal.killed | self._journal.failed)
            unknown |= {call.worker for call in calls if self._is_overtaken(call)}
            if len(calls) > MOST_TRIES * (1 + len(unknown)):
                self.verdict.say(f"row {row} was sent {len(calls)} times in one round")
        for call in self._journal.calls:
            if call.within < SHORTEST_WAIT:
                self.verdict.say(f"row {call.row} was sent by a worker whose time was over in {call.within:.0f} s")
        for body in self._journal.stopped_loops:
            self.verdict.say(f"Lambda stopped a slice as a recursive loop: {body}")

    def _check_one_at_a_time(self) -> None:
        """Once another worker has looked at a slice, the one before it opens no more of its requests."""
        for newer, looked_at in self._journal.looked_at.items():
            for older in self._journal.workers_of(self._journal.slices[newer]):
                sent = [call.sent_at for call in self._journal.calls if call.worker == older] if older != newer else []
                if sent and min(sent) < looked_at < max(sent):
                    self.verdict.say(f"{older} goes on with a slice that {newer} has taken")

    # --- what became of each paid answer

    def _check_fates(self) -> None:
        fates = [(call, self._fate_of(call)) for call in self._paid()]
        self.explained.update(f"paid, not seen: {fate}" for _, fate in fates if fate not in {KEPT, DROPPED})
        lost = Counter(call.worker for call, fate in fates if fate in {KILLED, REFUSED})
        for worker, answers in lost.items():
            if answers > self._most_lost:
                self.verdict.say(f"{worker} took {answers} answers with it; more than {self._most_lost} it must not")
        for call, fate in fates:
            if fate == DROPPED:
                self.verdict.lost += 1
                self.verdict.say(f"{call.worker} was given an answer to row {call.row}, and did not flush it")
        delivered = Counter((call.worker, call.row) for call, _ in fates if call.end == DELIVERED)
        for (worker, row), times in delivered.items():
            if times > 1:
                self.verdict.paid_twice += 1
                self.verdict.say(f"{worker} asked row {row} again after its answer")

    def _fate_of(self, call: Call) -> str:
        if call.end == DELIVERED and self._journal.kept(call.row, call.worker):
            return KEPT
        if call.end not in {DELIVERED, ""}:
            return LOST_ON_ITS_WAY
        if call.worker in self._journal.killed:
            return KILLED
        return REFUSED if call.worker in self._journal.refused_by_store else DROPPED

    def _paid(self) -> list[Call]:
        return [call for call in self._journal.calls if call.usd is not None]

    def _kept(self) -> list[Call]:
        return [call for call in self._paid() if self._fate_of(call) == KEPT]

    def _is_overtaken(self, call: Call) -> bool:
        """Tell whether another worker, or the collection, looked at the bucket between a request and its flush."""
        flush = self._journal.line_of(call.row, call.worker)
        if flush is None:
            return False
        name = self._journal.slices[call.worker]
        others = (worker for worker in self._journal.workers_of(name) if worker != call.worker)
        looks = [self._journal.looked_at[other] for other in others if other in self._journal.looked_at]
        looks += [self._journal.collected_from[name[:2]]] if name[:2] in self._journal.collected_from else []
        return any(call.sent_at < look < flush.at for look in looks)

    def _flushes_of(self, call: Call) -> Iterator[Flush]:
        name = self._journal.slices[call.worker]
        return (flush for flush in self._journal.flushes if self._journal.slices[flush.worker] == name)

    # --- the bill

    def _asked(self) -> dict[str, Asked]:
        all_asked = super()._asked()
        for call in self._kept():
            if call not in self._missed:
                asked = all_asked.setdefault(self._custom_id(call.row), Asked())
                asked.texts.append(call.text)
        return all_asked

    def _check_bill(self, all_asked: dict[str, Asked]) -> None:
        """A row is paid for once; lost answers, and those of a worker that was overtaken, are on top of that."""
        live, paid = sum(self._live_books.live_charges()), self._paid()
        if live != sum(call.usd or 0 for call in paid):
            self.verdict.say(f"the emulator's bill is ${live}, but not that of its calls")
        ours = [one for one in self._books.charges() if self._is_ours(one.custom_id)]
        batch = Counter((self.row_of(one.custom_id), one.model) for one in ours)
        self.verdict.billed = batch.total() + len(paid)
        kept = self._kept()
        billed = batch + Counter((call.row, call.model) for call in kept)
        overtaken = Counter((call.row, call.model) for call in kept if self._is_overtaken(call))
        for (row, model), times in billed.items():
            is_limited = model == MODEL and self._custom_id(row) in self._limited
            surplus = times - self._allowed(self._schedule.rows[row], model) - is_limited
            if surplus > overtaken[row, model]:
                self.verdict.paid_twice += 1
                self.verdict.say(f"row {row} ({self._schedule.rows[row]}) was billed {times} times by {model}")
            elif surplus > 0:
                self.explained["paid again: a worker outlived its lease"] += surplus

    def _check_cost(self, ending: Ending) -> None:
        """The bill is the summary's cost, what it lists as perhaps paid, and what a crash excuses."""
        self._check_collected(ending)
        summary = self._closed_summary(ending)
        if summary is None:
            return
        outside = [call for call in self._paid() if self._fate_of(call) != KEPT or call in self._missed]
        excused = [call for call in outside if self._is_excused(call)]
        ours = [one.usd for one in self._books.charges() if self._is_ours(one.custom_id)]
        ours += [call.usd or Decimal(0) for call in self._paid() if call not in excused]
        self._check_extra(summary, sum(ours, Decimal(0)) - Decimal(str(summary["cost"]["usd"])))
        if summary["perhaps_paid"]["requests"] < len(outside) - len(excused):
            self.verdict.say(f"{len(outside) - len(excused)} lost answers were billed, the summary lists fewer")

    def _is_excused(self, call: Call) -> bool:
        """Return whether a crash, a refused flush or a late flush is why a call is in no output."""
        if call.worker in self._journal.killed | self._journal.refused_by_store:
            return True
        flushes = [one for one in self._journal.flushes if one.worker == call.worker and call.row in dict(one.lines)]
        return bool(flushes) and all(self._is_late(flush) for flush in flushes)

    def _check_collected(self, ending: Ending) -> None:
        """The summary tells what all answers cost that could be collected."""
        if ending.status != "SUCCEEDED" or self._lied_about(ending):
            return
        summary = self._summary(ending)
        if summary is None or not summary["outputs"]["output"]:
            return
        ours = [one.usd for one in self._books.charges() if self._is_ours(one.custom_id)]
        ours += [call.usd or Decimal(0) for call in self._kept()]
        expected = sum(ours, Decimal(0)) - sum((call.usd or Decimal(0) for call in self._missed), Decimal(0))
        if Decimal(str(summary["cost"]["usd"])) != expected:
            self.verdict.say(f"the summary tells ${summary['cost']['usd']}, what was collected cost ${expected}")

    def _uncollected(self, ending: Ending) -> list[Call]:
        """Return the flushed answers that no round collected; of a green job only those that came too late."""
        collected: dict[RoundName, Counter[int]] = {}
        missed = []
        for call in sorted(self._kept(), key=self._came_late):
            name = self._journal.slices[call.worker][:2]
            if name not in collected:
                collected[name] = self._collected(ending, name)
            if collected[name][call.row] > 0:
                collected[name][call.row] -= 1
                continue
            missed.append(call)
            if self._came_late(call):
                self.explained["paid, not seen: flushed after its round was collected"] += 1
            elif ending.status == "SUCCEEDED":
                self.verdict.lost += 1
                self.verdict.say(f"row {call.row} has a flushed answer of round {name[1]} that was not collected")
        return missed

    def _collected(self, ending: Ending, name: RoundName) -> Counter[int]:
        body = ending.objects.get(f"jobs/{self._job_id}/answers/{name[0]:05d}.r{name[1]}.jsonl")
        if body is None and self._closed_summary(ending) is not None:  # the close read the flushes itself
            flushes = [one for one in self._journal.flushes if self._journal.slices[one.worker][:2] == name]
            return Counter(
                row for one in flushes if not self._is_late(one) for row, is_answer in one.lines if is_answer
            )
        lines = [json.loads(line) for line in (body or b"").splitlines()]
        return Counter(self.row_of(line["custom_id"]) for line in lines if line["result"]["type"] == "succeeded")

    def _came_late(self, call: Call) -> bool:
        flush = self._journal.kept(call.row, call.worker)
        return flush is not None and self._is_late(flush)

    def _is_late(self, flush: Flush) -> bool:
        collected = self._journal.collected_from.get(self._journal.slices[flush.worker][:2])
        return collected is not None and flush.at > collected

    # --- what the user gets

    def _check_green(self, rows: list[dict[str, str]]) -> None:
        """A green job has asked every row, but for those that no worker came to, or that found no connection."""
        sent = (custom_id for batch in self._books.batches() for custom_id in batch.custom_ids)
        asked = {self.row_of(custom_id) for custom_id in sent if self._is_ours(custom_id)}
        asked |= {call.row for call in self._journal.calls}
        for number, kind in enumerate(self._schedule.rows):
            if kind == BAD or number in asked:
                continue
            shard, _ = self._schedule.place_of(number)
            has_reason = number in self._journal.unreached or shard in self._journal.given_up
            if not has_reason or rows[number]["_status"] != "failed":
                self.verdict.say(f"green, but row {number} was never asked")

    def _check_kept(self, ending: Ending, rows: list[dict[str, Any]]) -> None:
        """What was flushed is in the output, unless it came after its round was collected."""
        late = {flush.key for flush in self._journal.flushes if self._is_late(flush)}
        objects = {key: body for key, body in ending.objects.items() if key not in late}
        super()._check_kept(replace(ending, objects=objects), rows)

    def _custom_id(self, row: int) -> str:
        shard, index = self._schedule.place_of(row)
        return f"{self._job_id}-{shard:05d}-{index:06d}"
