"""Judges a job whose packs may go live: the rules of packs, and the excuses of the live lane."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.judge import Asked
from tests.faults.live_journal import CUT, Call, RoundName
from tests.faults.live_judge import KEPT, LiveJudge
from tests.faults.packs_judge import Given, PacksJudge
from tests.faults.schedule import BAD

LOST = ("connection dropped", "not waited for", "stream broken off", CUT)  # ends of tries that may be paid

RowAndModel = tuple[int, str]


@dataclass(frozen=True)
class Sent:
    """A request that was sent in a round, by either lane."""

    shard: int
    round: int
    rows: tuple[int, ...]
    model: str


class LivePacksJudge(PacksJudge, LiveJudge):
    """Judges one run of a job with packs that may go live.

    A pack is one request: what excuses a second payment for a row alone excuses it for a pack. What a pack answered is
    not sent again in a later round, whichever lane answered it.
    """

    def _given(self) -> list[Given]:
        """Return what each billed request gave, in either lane, as far as a round collected it."""
        live = [self._given_by(call) for call in self._kept() if call not in self._missed]
        return [*super()._given(), *live]

    def _given_by(self, call: Call) -> Given:
        shard, number = self._round_of(call)
        return self._given_in((shard, number, ""), call.rows, call.text, call.model)

    def _check_bill(self, all_asked: dict[str, Asked]) -> None:
        """Each request is paid for once; lost answers, and those of a worker that was overtaken, are on top of that."""
        live, paid = sum(self._live_books.live_charges()), self._paid()
        if live != sum(call.usd or 0 for call in paid):
            self.verdict.say(f"the emulator's bill is ${live}, but not that of its calls")
        charges = [charge for charge in self._books.charges() if self._is_ours(charge.custom_id)]
        in_batches = PacksJudge._given(self)
        if len(charges) != len(in_batches):
            self.verdict.say(f"{len(charges)} requests were billed, {len(in_batches)} were answered")
        self.verdict.billed = len(charges) + len(paid)
        sure = [call for call in paid if self._fate_of(call) == KEPT and not self._is_overtaken(call)]
        kept = [*in_batches, *map(self._given_by, self._kept())]
        counted = [*in_batches, *map(self._given_by, sure)]
        self.explained["paid again: a worker outlived its lease"] += len(kept) - len(counted)
        self._check_times(kept, Counter((one.rows, one.model) for one in kept[len(in_batches) :]) - _requests(counted))
        self._check_not_sent_again(counted)
        self._check_lost_is_not_sent()

    def _check_times(self, kept: list[Given], excused: Counter[tuple[tuple[int, ...], str]]) -> None:
        """Judge how often each pack and each row was paid for; `excused` are the answers of overtaken workers."""
        in_packs: Counter[RowAndModel] = Counter()
        for (rows, model), times in _requests(kept).items():
            surplus = times - excused[rows, model]
            if len(rows) > 1:
                in_packs.update({(row, model): max(surplus, 0) for row in rows})
                if surplus > 1:
                    self._twice(f"the pack of rows {rows} was billed {times} times by {model}")
            elif surplus > self._allowed(self._schedule.rows[rows[0]], model):
                self._twice(f"row {rows[0]} ({self._schedule.rows[rows[0]]}) was billed {times} times alone by {model}")
        for (row, _), times in in_packs.items():
            if times > 1:
                self._twice(f"row {row} was in {times} packs that were billed")

    def _check_not_sent_again(self, given: list[Given]) -> None:
        """A row that a pack answered is in no request of a later round to the same model."""
        answered: dict[RowAndModel, int] = {}
        for one in given:
            for row in one.answers if len(one.rows) > 1 else ():
                known = answered.get((row, one.model), one.place[1])
                answered[row, one.model] = min(known, one.place[1])
        for sent in self._all_sent():
            for row in sent.rows:
                if sent.round > answered.get((row, sent.model), sent.round):
                    self._twice(f"row {row} was answered in a pack, and sent again in round {sent.round}")

    def _check_lost_is_not_sent(self) -> None:
        """A request that ended after a lost answer may be paid: no later round sends its rows to that model."""
        answered = {(*self._round_of(call), call.rows) for call in self._kept()}
        sent = [*self._all_sent()]
        for call in self._journal.calls:
            shard, number = self._round_of(call)
            if call.end not in LOST or not self._has_ended(call) or (shard, number, call.rows) in answered:
                continue
            later = [one for one in sent if (one.shard, one.model) == (shard, call.model) and one.round > number]
            for row in sorted({row for one in later for row in one.rows} & {*call.rows}):
                self._twice(f"row {row} may be paid since round {number}, and was sent again in a later round")

    def _has_ended(self, call: Call) -> bool:
        """Return whether the call's worker said in time that its request has no answer."""
        flushes = (one for one in self._journal.flushes if one.worker == call.worker and one.at > call.sent_at)
        return any((call.row, False) in one.lines and not self._is_late(one) for one in flushes)

    def _round_of(self, call: Call) -> RoundName:
        return self._journal.slices[call.worker][:2]

    def _all_sent(self) -> Iterator[Sent]:
        """Yield all requests of ours that were sent, by either lane."""
        for batch in self._books.batches():
            shard, number = self._rounds.get(batch.id, (-1, -1))
            for custom_id in batch.custom_ids:
                if (shard, number, custom_id) in self._bodies:
                    rows, model = self._bodies[shard, number, custom_id], self._models[shard, number, custom_id]
                    yield Sent(shard, number, rows, model)
        for call in self._journal.calls:
            shard, number = self._round_of(call)
            yield Sent(shard, number, call.rows, call.model)

    def _check_green(self, rows: list[dict[str, str]]) -> None:
        """A green job has sent every row, but for those that no worker came to, or that found no connection."""
        asked = {row for call in self._journal.calls for row in call.rows}
        sent = {custom_id for batch in self._books.batches() for custom_id in batch.custom_ids}
        asked |= {row for (_, _, name), some in self._bodies.items() if name in sent for row in some}
        shards = {some[0]: shard for (shard, number, _), some in self._bodies.items() if not number}
        for number, kind in enumerate(self._schedule.rows):
            if kind == BAD or number in asked:
                continue
            has_reason = number in self._journal.unreached or shards.get(number) in self._journal.given_up
            if not has_reason or rows[number]["_status"] != "failed":
                self.verdict.say(f"green, but row {number} was never asked")


def _requests(given: list[Given]) -> Counter[tuple[tuple[int, ...], str]]:
    return Counter((one.rows, one.model) for one in given)
