"""`batchdrop compare`: answer the same random rows with each recipe; count the costs, and how often they agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

from batchdrop.cli.check.recipes import load_recipe
from batchdrop.cli.console import CommandError
from batchdrop.cli.run.service import Service
from batchdrop.cli.trial.trying import Shown, Tried, Trying, tried
from batchdrop.report.gold_block import GoldBlock
from batchdrop.saver.agreement import Agreement, agreement, differing

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Comparing:
    """What to compare: recipes, of which the first is the reference, on random rows of a file."""

    recipes: list[Path]
    file: Path
    rows: int
    files: Path | None
    out: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe's answers. Dollars are None if a price is not known.

    `million_usd` are dollars for a million rows like these, by lane, each row sent alone. `seconds` is the median of
    the live answers. `agrees` is the agreement with the reference on all fields that both have, `fields` that of each;
    None and empty for the reference. `shared` counts the rows that share the answer of another one. `notes` says what
    the figures leave out.
    """

    name: str
    recipe: str
    model: str
    answered: int
    sent: int
    paid_before: int
    shared: int
    cost_usd: Decimal | None
    million_usd: dict[str, Decimal | None]
    seconds: float | None
    gold: list[GoldBlock]
    agrees: Agreement | None = None
    fields: dict[str, Agreement] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A row on which a plan disagrees with the reference. `answers` are those of each plan, by its name."""

    row: int
    cells: dict[str, Any]
    fields: list[str]
    answers: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Compared:
    """The result. `rows` are the numbers of the rows that were compared; `requests` counts those of the whole file."""

    file: str
    rows: list[int]
    requests: int
    plans: list[Plan]
    disagreements: list[Disagreement]

    @property
    def is_whole(self) -> bool:
        """Return whether each plan answered each row."""
        return all(plan.answered == len(self.rows) for plan in self.plans)


def compared(comparing: Comparing, service: Service) -> Compared:
    """Answer the rows with each recipe. Raises JobFault like a job, and AccountTrouble for the key and the account.

    Raises CommandError if the reference can send no row.

    The reference draws the rows, and the others answer the same ones. A request that is paid is not sent again.
    """
    loaded = [load_recipe(path)[0] for path in comparing.recipes]  # a broken recipe ends the command before it costs
    numbers, tries = frozenset[int](), list[Tried]()
    for path in comparing.recipes:
        trying = Trying(
            path,
            comparing.file,
            comparing.rows,
            is_random=True,
            files=comparing.files,
            out=comparing.out,
            numbers=numbers,
        )
        tries.append(tried(trying, service))
        if not tries[0].rows:
            message = f"{comparing.file}: no row can be sent with {path}; `batchdrop check` says why"
            raise CommandError(message)
        numbers = numbers or frozenset(shown.row for shown in tries[0].rows)
    names = plan_names(len(tries))
    plans = []
    for name, path, recipe, one in zip(names, comparing.recipes, loaded, tries, strict=True):
        notes = ["rows are sent alone here; `pack` may cost less, and may answer otherwise"] if recipe.pack else []
        plans.append(plan_of(name, path, recipe.model, one, tries[0], notes))
    return Compared(str(comparing.file), sorted(numbers), tries[0].requests or 0, plans, disagreements(names, tries))


def plan_names(count: int) -> list[str]:
    """Return the names of so many plans: A is the reference."""
    return [chr(ord("A") + place) for place in range(count)]


def plan_of(name: str, path: Path, model: str, one: Tried, reference: Tried, notes: list[str]) -> Plan:
    """Return what is known about a plan from its answers, and those of the reference."""
    whole, requests = one.whole_file_usd, one.requests or 1
    million: dict[str, Decimal | None] = {lane: usd and usd / requests * MILLION for lane, usd in whole.items()}
    seconds = [shown.seconds for shown in one.rows if shown.seconds is not None]
    answered = sum(shown.status == "answered" for shown in one.rows)
    agrees, fields = (None, dict[str, Agreement]()) if one is reference else _agreement(reference, one)
    if one is not reference and not fields:
        notes = [*notes, "it has no answer field in common with the reference"]
    return Plan(
        name, str(path), model, answered, one.sent, one.paid_before + one.remembered, one.shared, one.cost_usd, million,
        median(seconds) if seconds else None, one.gold, agrees, fields, notes,
    )  # fmt: skip


def _both(reference: Tried, one: Tried) -> list[tuple[Shown, Shown]]:
    """Return the rows that both answered, in order."""
    theirs = {shown.row: shown for shown in one.rows if shown.status == "answered"}
    mine = (shown for shown in reference.rows if shown.status == "answered")
    return [(shown, theirs[shown.row]) for shown in mine if shown.row in theirs]


def _common(pairs: list[tuple[Shown, Shown]]) -> list[str]:
    return [name for name in pairs[0][0].answer if name in pairs[0][1].answer] if pairs else []


def _agreement(reference: Tried, one: Tried) -> tuple[Agreement | None, dict[str, Agreement]]:
    pairs = _both(reference, one)
    names = _common(pairs)
    if not names:
        return None, {}
    wrong = [differing(first.answer, second.answer, names) for first, second in pairs]
    fields = {name: agreement(sum(name not in own for own in wrong), len(pairs)) for name in names}
    return agreement(sum(not own for own in wrong), len(pairs)), fields


def disagreements(names: list[str], tries: list[Tried]) -> list[Disagreement]:
    """Return the rows on which any plan disagrees with the first."""
    found: dict[int, set[str]] = {}
    for one in tries[1:]:
        pairs = _both(tries[0], one)
        common = _common(pairs)
        for first, second in pairs:
            if wrong := differing(first.answer, second.answer, common):
                found.setdefault(first.row, set()).update(wrong)
    by_row = [{shown.row: shown for shown in one.rows} for one in tries]
    return [
        Disagreement(
            row,
            by_row[0][row].cells,
            sorted(fields),
            {name: dict(own[row].answer) for name, own in zip(names, by_row, strict=True) if row in own},
        )
        for row, fields in sorted(found.items())
    ]
