"""Count rows by fate and tokens by price. A shard's join fills the tally; the job's summary shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

import msgspec

from batchdrop.answers.outcome import PERHAPS_PAID, REMEMBERED, Outcome
from batchdrop.answers.result import Billed
from batchdrop.answers.tokens import Tokens
from batchdrop.errors import InvariantBroken
from batchdrop.money.cost import is_long_prompt, unit_of
from batchdrop.report.escalated import Escalated
from batchdrop.report.packs import PackCounts
from batchdrop.report.perhaps_paid import PerhapsPaid
from batchdrop.report.statistics import Statistics

_BILLED_AS = attrgetter("model", "usage.service_tier", "usage.inference_geo", "usage.speed")


class Tally(msgspec.Struct):
    """The number of rows with each fate. `statuses` counts the values of the `_status` column.

    `shared` counts rows that share the answer of an identical request. `perhaps_paid` counts requests without a
    readable result. `escalated` counts the rows that went to another model, if the recipe has one. `packs` is set in a
    job with packs. `statistics` is for the report. `recalled` has the tokens of remembered answers, which are not paid.
    `stored` counts the answers that the shard gave to the answer store. In a job with a random sample, `sample` is the
    version of its answers that the part was joined with, and `drawn` counts the shard's rows of the sample by fate:
    the sample's own shard counts their tokens.
    """

    rows: int = 0
    answered: int = 0
    unusable: int = 0
    failed: int = 0
    rejected: int = 0
    shared: int = 0
    statuses: dict[str, int] = {}
    tokens: list[Tokens] = []
    perhaps_paid: PerhapsPaid = msgspec.field(default_factory=PerhapsPaid)
    statistics: Statistics = msgspec.field(default_factory=Statistics)
    escalated: Escalated | None = None
    packs: PackCounts | msgspec.UnsetType = msgspec.UNSET
    recalled: list[Tokens] = []
    stored: int = 0
    sample: str = ""
    drawn: dict[str, int] = {}

    @property
    def bill(self) -> Tally:
        """Return what was paid, or may be, without the rows."""
        return Tally(
            tokens=self.tokens,
            perhaps_paid=self.perhaps_paid,
            escalated=self.escalated,
            packs=self.packs,
            recalled=self.recalled,
            stored=self.stored,
        )

    @property
    def rows_perhaps_paid(self) -> int:
        """Return the number of rows whose fate is `failed`, and that may be paid."""
        return sum(self.statuses.get(status, 0) for status in PERHAPS_PAID)

    def add(self, outcomes: Sequence[Outcome], *, are_shared: bool = False) -> None:
        """Count rows. A shared answer adds no tokens: they are counted with the row that was sent."""
        fates, statuses = self._add_rows(outcomes)
        if are_shared:
            self.shared += fates["answered"] + fates["unusable"]
        elif REMEMBERED in statuses:
            self.add_paid([one.message for one in outcomes if one.message is not None and one.status != REMEMBERED])
            recalled = [one.message for one in outcomes if one.message is not None and one.status == REMEMBERED]
            _add_tokens(recalled, self.recalled)
        else:
            self.add_paid([outcome.message for outcome in outcomes if outcome.message is not None])

    def add_drawn(self, outcomes: Sequence[Outcome]) -> None:
        """Count rows of the random sample, where they stand in the file."""
        fates, _ = self._add_rows(outcomes)
        for fate, count in fates.items():
            self.drawn[fate] = self.drawn.get(fate, 0) + count

    def _add_rows(self, outcomes: Sequence[Outcome]) -> tuple[Counter[str], Counter[str]]:
        """Count rows by fate and status; return these rows' own counts."""
        fates = Counter[str]([outcome.fate for outcome in outcomes])
        self.rows += len(outcomes)
        for fate in ("answered", "unusable", "failed", "rejected"):
            setattr(self, fate, getattr(self, fate) + fates[fate])
        statuses = Counter([outcome.status for outcome in outcomes])
        for status, count in statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        return fates, statuses

    def without_drawn(self) -> Tally:
        """Return the rows that the shard has beside those of the sample, for figures of a running job."""
        fates = {fate: getattr(self, fate) - count for fate, count in self.drawn.items()}
        return msgspec.structs.replace(self, rows=self.rows - sum(self.drawn.values()), drawn={}, **fates)

    def add_paid(self, messages: Iterable[Billed]) -> None:
        """Count the tokens of answers, including answers that later ones replaced."""
        _add_tokens(messages, self.tokens)

    def merge(self, other: Tally) -> None:
        """Add the tally of another shard."""
        for name in ("rows", "answered", "unusable", "failed", "rejected", "shared", "stored"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for status, count in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        for own, theirs in ((self.tokens, other.tokens), (self.recalled, other.recalled)):
            for tokens in theirs:
                _at_price(tokens, own).merge(tokens)
        self.perhaps_paid.add(other.perhaps_paid.requests, other.perhaps_paid.worst_usd)
        self.statistics.merge(other.statistics)
        if other.escalated is not None:
            self.escalated = self.escalated or Escalated()
            self.escalated.merge(other.escalated)
        if isinstance(other.packs, PackCounts):
            if not isinstance(self.packs, PackCounts):
                self.packs = PackCounts()
            self.packs.merge(other.packs)

    def check(self, *, rows: int, where: str) -> None:
        """Raise InvariantBroken unless every one of `rows` rows has exactly one fate."""
        accounted = self.answered + self.unusable + self.failed + self.rejected
        if not self.rows == accounted == rows:
            message = (
                f"{where}: {rows} rows in, but {self.answered} answered + {self.unusable} unusable + "
                f"{self.failed} failed + {self.rejected} rejected = {accounted}"
            )
            raise InvariantBroken(message)


def _add_tokens(messages: Iterable[Billed], sums: list[Tokens]) -> None:
    """Add the usage of messages to the sums of their prices."""
    for _, group in groupby(messages, key=_BILLED_AS):
        some = list(group)
        long = [message for message in some if is_long_prompt(message.usage)]
        short = [message for message in some if not is_long_prompt(message.usage)] if long else some
        for counted in (long, short):
            if counted:
                _at_price(unit_of(counted[0]), sums).add([message.usage for message in counted])


def _at_price(unit: Tokens, sums: list[Tokens]) -> Tokens:
    """Return the sum at this price; adds it if it is missing."""
    for tokens in sums:
        if tokens.price_key == unit.price_key:
            return tokens
    sums.append(unit.like())
    return sums[-1]
