"""Find a part of a file in which a certified plan disagrees more than it may."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from batchdrop.saver.audit import Audit

PARTS = 10  # ours: of a file; with more, each has too few compared rows


class Drift(NamedTuple):
    """The rows `first` to `last` of a file, in which a plan disagrees on `disagreed` of the `rows` that were compared.

    A row's number counts from 1.
    """

    first: int
    last: int
    disagreed: int
    rows: int


def drift_along(compared: Sequence[int], wrong: Collection[int], keep: float) -> Drift | None:
    """Return where the disagreements pile up; None if they do not.

    `compared` are the numbers of the rows of a random sample, `wrong` those on which the plan disagrees. They are
    tested part by part, as an audit would see them. A plan that keeps its promise in each part passes in 95 % of files.
    """
    order = sorted(compared)
    parts = [order[place * len(order) // PARTS : (place + 1) * len(order) // PARTS] for place in range(PARTS)]
    audit = Audit(keep, PARTS)
    for part in parts:
        audit.add(sum(row in wrong for row in part), len(part))
    if not audit.is_alarmed:
        return None
    doubtful = [row for place in audit.in_doubt for row in parts[place]]
    return Drift(doubtful[0], doubtful[-1], sum(row in wrong for row in doubtful), len(doubtful))
