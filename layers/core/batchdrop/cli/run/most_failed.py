"""`--max-failed`: how many rows of a job may end without a usable answer before the command fails."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from batchdrop.cli.console import CommandError

TOO_MANY_FAILED = 4  # an exit code
ALL = 100  # percent
_WRITTEN = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<percent>%?)")


class TooManyFailedError(CommandError):
    """The job succeeded, but more rows than allowed have no usable answer; the message says how many, and why."""

    exit_code = TOO_MANY_FAILED


@dataclass(frozen=True, slots=True)
class MostFailed:
    """The most rows without a usable answer: a share of all rows in percent, or a count."""

    number: Decimal
    is_percent: bool

    @classmethod
    def parsed(cls, text: str) -> MostFailed | None:
        """Return the limit that `1%`, `0.5%` or `10` says; None for anything else."""
        found = _WRITTEN.fullmatch(text.strip())
        if found is None:
            return None
        number, is_percent = Decimal(found["number"]), bool(found["percent"])
        if number > ALL if is_percent else number != int(number):
            return None
        return cls(number, is_percent)

    def __str__(self) -> str:
        return f"{self.number}%" if self.is_percent else f"{self.number} rows"

    def check(self, summary: dict[str, Any], repair: str) -> None:
        """Raise TooManyFailedError for a summary with more such rows. `repair` is the command that sends them again.

        Rows that the recipe skips do not count.
        """
        tally = summary["tally"]
        skipped = tally["statuses"].get("skipped", 0)
        failed = tally["rows"] - tally["answered"] - skipped
        allowed = self.number * tally["rows"] / 100 if self.is_percent else self.number
        if failed <= allowed:
            return
        statuses = {name: count for name, count in tally["statuses"].items() if name not in _FINE}
        kinds = ", ".join(f"{count:,} {name}" for name, count in statuses.items())
        share = Decimal(failed) * 100 / tally["rows"]
        raise TooManyFailedError(
            f"{failed:,} of {tally['rows']:,} rows ({share:.2f} %) have no usable answer: {kinds}. --max-failed allows "
            f"{self}. The outputs are complete; failed.jsonl has the rows. Send them again: {repair}"
        )


_FINE = {"answered", "remembered", "skipped"}
