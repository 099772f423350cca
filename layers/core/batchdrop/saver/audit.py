"""Watch a certified plan while it runs: a test by betting, because it looks many times."""

from __future__ import annotations

from math import exp, fsum, log, log1p

WORSE = (2, 4, 10)  # times the allowed share of disagreements: what the bets are on
RISK = 0.05  # of any false alarm in a job
CALM = 30.0  # ours: below this, the evidence says nothing

_MOST = 0.99  # the share that a bet is on; 1 would lose everything with the first row that agrees


class Audit:
    """The evidence that a plan disagrees on more than `1 - keep` of the rows, over a known number of audits.

    While the plan keeps its promise, `evidence` grows by 1 an audit on average. So it reaches `audits / RISK` in at
    most RISK of all jobs, however often it is looked at (Ville's inequality; Shiryaev and Roberts' statistic).

    The rows of an audit must fail one by one: take at most one row of each pack. With whole packs, one job of four
    raised a false alarm in simulations.
    """

    def __init__(self, keep: float, audits: int) -> None:
        self.evidence = 0.0
        self.alarm_at = audits / RISK
        self.seen = 0
        self.calm_until = 0  # audits before this one are not in doubt
        self._allowed = 1 - keep
        self._bets = [min(_MOST, times * self._allowed) for times in WORSE]

    def add(self, disagreed: int, rows: int) -> bool:
        """Add the next audit: `disagreed` of its `rows` disagree. Return whether the saving must stop."""
        if self.is_alarmed:
            return True
        self.evidence = (self.evidence + 1) * self._likelihood_ratio(disagreed, rows)
        self.seen += 1
        if self.evidence < CALM:
            self.calm_until = self.seen
        return self.is_alarmed

    @property
    def is_alarmed(self) -> bool:
        """Return whether the evidence has reached the alarm. It stays."""
        return self.evidence >= self.alarm_at

    @property
    def in_doubt(self) -> range:
        """Return the audits since the last calm one, counted from 0: their rows can be sent again."""
        return range(self.calm_until, self.seen)

    def _likelihood_ratio(self, disagreed: int, rows: int) -> float:
        return fsum(exp(min(700.0, self._log_ratio(bet, disagreed, rows))) for bet in self._bets) / len(self._bets)

    def _log_ratio(self, bet: float, disagreed: int, rows: int) -> float:
        more = disagreed * log(bet / self._allowed)
        return more + (rows - disagreed) * (log1p(-bet) - log1p(-self._allowed))
