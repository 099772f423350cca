"""Figures, as people read them."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from batchdrop.cli.job.figures import counted, dollars, duration, moment, rate, size, sum_of_fates


@pytest.mark.parametrize(
    ("amount", "written"),
    [("1234.5", "$1,234.50"), ("1", "$1.00"), ("0.0208", "$0.0208"), ("0.0000193", "$0.000019"), ("0", "$0.0000")],
)
def test_dollars(amount: str, written: str) -> None:
    """A small sum is not nothing."""
    assert dollars(Decimal(amount)) == written


def test_what_is_not_known() -> None:
    """It is said, never 0."""
    assert (dollars(None), duration(None), rate(None), moment(None)) == ("price unknown", "–", "–", "–")


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min 00 s"),
        (3_599, "59 min 59 s"),
        (3_660, "1 h 01 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations(seconds: float, written: str) -> None:
    """Two units at most."""
    assert duration(seconds) == written


def test_rates_in_a_unit_with_figures() -> None:
    """A second, a minute, an hour."""
    assert [rate(each) for each in (1_057.2, 0.5, 0.001)] == ["1,057 rows/s", "30 rows/min", "4 rows/h"]


def test_a_tally_is_a_sum() -> None:
    """All four fates; a summary of an older version does not count unusable answers."""
    old = {"answered": 1_000, "failed": 2, "rejected": 0}
    assert sum_of_fates({**old, "unusable": 3}) == "1,000 answered + 3 unusable + 2 failed + 0 rejected"
    assert sum_of_fates(old) == "1,000 answered + 0 unusable + 2 failed + 0 rejected"


def test_counts_sizes_and_times() -> None:
    """One row, two rows; sizes to a tenth; times in UTC."""
    assert [counted(count, "row") for count in (0, 1, 2_000)] == ["0 rows", "1 row", "2,000 rows"]
    assert [size(count) for count in (999, 1_000, 2_500_000, 2 * 10**9)] == ["999 B", "1.0 kB", "2.5 MB", "2.0 GB"]
    berlin = datetime(2026, 11, 22, 13, tzinfo=timezone(timedelta(hours=1)))
    assert moment(berlin) == moment(datetime(2026, 11, 22, 12, tzinfo=UTC)) == "2026-11-22 12:00:00"
