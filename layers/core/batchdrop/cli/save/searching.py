"""Search the cheapest model that agrees with the recipe's own on most rows of a file, and certify it."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import msgspec

from batchdrop.cli.check.recipes import load_prices, load_recipe
from batchdrop.cli.compare.comparing import Compared, Plan, disagreements, plan_names, plan_of
from batchdrop.cli.console import CommandError
from batchdrop.cli.run.service import Service
from batchdrop.cli.trial.rows import SEED, chosen_rows
from batchdrop.cli.trial.trying import Tried, Trying, tried
from batchdrop.job.lane import lane_of_job
from batchdrop.money.cost import BATCH_DISCOUNT, dollars
from batchdrop.money.prices import PriceTable, effective
from batchdrop.recipe.lane import Lane
from batchdrop.recipe.recipe import Recipe
from batchdrop.recipe.save_keys import Save
from batchdrop.saver.agreement import Agreement, agreement, differing
from batchdrop.saver.drift import Drift, drift_along
from batchdrop.saver.search import Certificate, Observed, affordable, sample_rows, search
from batchdrop.settings import LIVE_ROWS

KEPT_FOR = "90d"  # the answers that are paid here serve the job that follows
TWICE = 200  # rows that the reference answers twice: its agreement with itself is the ceiling
TWICE_FOLDER = "twice"  # of the second answers
SURE_OF_ITSELF = 0.99  # below, the reference's own noise is what a person should hear of first


@dataclass(frozen=True, slots=True)
class Saving:
    """What to search: a recipe with `save`, its file, and the folder for answers."""

    recipe: Path
    file: Path
    files: Path | None
    out: Path


@dataclass(frozen=True, slots=True)
class Saved:
    """The result. The first of the compared plans is the reference; the others are the models that were tried.

    `certificate` is that of `model`, the cheapest that passed; both are None if none did. `itself` is how often the
    reference agrees with its own second answers. `reference_usd` and `model_usd` are dollars for the whole file in
    `lane`, `spent_usd` those of this command; None if a price is not known. `too_dear` are the models that were not
    tried, because their answers to the sample would cost more than the search may. `drift` is the part of the file in
    which the certified model disagrees more than it may; None if there is none.
    """

    compared: Compared
    keep: float
    confidence: float
    certificate: Certificate | None
    model: str | None
    itself: Agreement
    lane: Lane
    reference_usd: Decimal | None
    model_usd: Decimal | None
    spent_usd: Decimal | None
    too_dear: list[str]
    continue_under_usd: float | None
    drift: Drift | None = None

    @property
    def is_noisy(self) -> bool:
        """Return whether the reference disagrees with itself on more rows than a plan could explain."""
        return self.itself.share is not None and self.itself.share < SURE_OF_ITSELF


def reference_of(recipe: Recipe) -> Recipe:
    """Return the recipe without `save`. Its answers are kept, so that no row is paid twice."""
    return msgspec.structs.replace(recipe, save=None, remember=recipe.remember or KEPT_FOR)


def searched(saving: Saving, service: Service) -> Saved:
    """Answer a random sample with the recipe's model and with the others; certify the cheapest that agrees.

    Raises JobFault like a job, AccountTrouble for the key and the account, and CommandError if nothing can be compared.
    """
    recipe, _ = load_recipe(saving.recipe)
    if recipe.save is None:
        message = (
            f"{saving.recipe} has no key 'save'. Add it, for example: save: {{keep: 0.98, try: [claude-haiku-5-5]}}"
        )
        raise CommandError(message)
    return _Searching(saving, recipe, recipe.save, service).run()


class _Searching:
    """One search. The rows of the sample are in random order, so that the first of them are a sample, too."""

    def __init__(self, saving: Saving, recipe: Recipe, save: Save, service: Service) -> None:
        self._saving = saving
        self._recipe = recipe
        self._save = save
        self._service = service
        self._prices = effective(load_prices(saving.recipe))
        self._tries: dict[str, Tried] = {}
        self._sent: dict[str, list[Tried]] = defaultdict(list)

    def run(self) -> Saved:
        counted = chosen_rows(self._saving.recipe, self._saving.file, count=1, is_random=True, files=self._saving.files)
        rows = counted.requests or 0
        lane = lane_of_job(self._recipe, requests=rows, live_rows=LIVE_ROWS)
        self._reference = self._tried(self._recipe.model, rows=self._save.sample or sample_rows(rows))
        order = [shown.row for shown in self._reference.rows if shown.status == "answered"]
        if not order:
            message = f"{self._saving.file}: the reference answered no row; `batchdrop try` shows why"
            raise CommandError(message)
        random.Random(SEED).shuffle(order)
        self._order = order
        itself = self._twice()
        models = [model for model in self._save.try_ if self._usd(model, lane) is not None]
        costs = self._shares(models, lane)
        dearer = float(1 / BATCH_DISCOUNT) if lane == "batch" else 1.0

        def observe(plan: int, look: int) -> Observed:
            return self._observed(models[plan], look)

        risk = round(1 - self._save.confidence, 9)
        chosen = affordable(costs, rows, size=len(order), dearer=dearer)
        found = search(rows, self._save.keep, costs, observe, risk=risk, size=len(order), dearer=dearer)
        best = None if found.best is None else models[found.best.plan]
        return Saved(
            compared=self._compared(order, rows),
            keep=self._save.keep,
            confidence=self._save.confidence,
            certificate=found.best,
            model=best,
            itself=itself,
            lane=lane,
            reference_usd=self._whole(self._recipe.model, lane),
            model_usd=None if best is None else self._whole(best, lane),
            spent_usd=_spent([one for some in self._sent.values() for one in some]),
            too_dear=[model for place, model in enumerate(models) if place not in chosen],
            continue_under_usd=self._save.continue_under_usd,
            drift=None if best is None else self._drift(best),
        )

    def _tried(self, model: str, *, rows: int = 0, numbers: list[int] | None = None, again: bool = False) -> Tried:
        """Have a model answer rows. `again`: as if nobody had answered them before."""
        saving = self._saving

        def change(recipe: Recipe) -> Recipe:
            plan = msgspec.structs.replace(reference_of(recipe), model=model)
            return msgspec.structs.replace(plan, remember=None) if again else plan

        trying = Trying(
            saving.recipe, saving.file, rows, is_random=True, files=saving.files, numbers=frozenset(numbers or ()),
            out=saving.out / TWICE_FOLDER if again else saving.out, change=change,
        )  # fmt: skip
        ended = tried(trying, self._service)
        self._sent[model].append(ended)
        if not again:
            self._tries[model] = ended
        return ended

    def _twice(self) -> Agreement:
        """Return how often the reference agrees with itself."""
        numbers = self._order[:TWICE]
        second = self._tried(self._recipe.model, numbers=numbers, again=True)
        return agreement(len(numbers) - len(_wrong(self._reference, second, numbers)), len(numbers))

    def _observed(self, model: str, look: int) -> Observed:
        numbers = self._order[:look]
        wrong = _wrong(self._reference, self._tried(model, numbers=numbers), numbers)
        return Observed(len(wrong), len(numbers), len(numbers))

    def _drift(self, model: str) -> Drift | None:
        wrong = _wrong(self._reference, self._tries[model], self._order)
        return drift_along(self._order, {*wrong}, self._save.keep)

    def _usd(self, model: str, lane: Lane) -> Decimal | None:
        """Return what a model's answers to the sample would cost in a lane, if it wrote as much as the reference."""
        return _repriced(self._reference, model, lane, self._prices)

    def _shares(self, models: list[str], lane: Lane) -> list[float]:
        own = self._usd(self._recipe.model, lane)
        return [float((self._usd(model, lane) or 0) / own) if own else 1.0 for model in models]

    def _whole(self, model: str, lane: Lane) -> Decimal | None:
        """Return what the whole file costs with a model, from its own answers."""
        usd = self._tries[model].whole_file_usd.get(lane)
        return None if usd is None else usd.quantize(Decimal("0.000001"))

    def _compared(self, order: list[int], rows: int) -> Compared:
        models = [self._recipe.model, *(model for model in self._tries if model != self._recipe.model)]
        tries, names = [self._tries[model] for model in models], plan_names(len(models))
        plans = [
            self._paid(plan_of(name, self._saving.recipe, model, one, self._reference, _notes(one, len(order))))
            for name, model, one in zip(names, models, tries, strict=True)
        ]
        return Compared(str(self._saving.file), sorted(order), rows, plans, disagreements(names, tries))

    def _paid(self, plan: Plan) -> Plan:
        """Return the plan with what all of its answers cost: a search looks several times."""
        sent = self._sent[plan.model]
        shared = max(one.shared for one in sent)
        now = sum(one.sent for one in sent)
        before = max(0, plan.answered - now - shared)
        return replace(plan, sent=now, cost_usd=_spent(sent), paid_before=before, shared=shared)


def _notes(one: Tried, size: int) -> list[str]:
    """Return why a plan answered fewer rows than the others."""
    if len(one.rows) >= size:
        return []
    return [f"its search ended after {len(one.rows):,} rows: it disagrees too often to pass"]


def _wrong(reference: Tried, one: Tried, numbers: list[int]) -> list[int]:
    """Return the rows on which a plan disagrees with the reference. One that it cannot answer is among them."""
    theirs = {shown.row: shown for shown in one.rows if shown.status == "answered"}
    mine = {shown.row: shown for shown in reference.rows}
    return [
        row for row in numbers
        if row not in theirs or differing(mine[row].answer, theirs[row].answer, mine[row].answer)
    ]  # fmt: skip


def _repriced(one: Tried, model: str, lane: Lane, prices: PriceTable) -> Decimal | None:
    return dollars([msgspec.structs.replace(tokens, model=model, lane=lane) for tokens in one.tokens], prices)


def _spent(tries: list[Tried]) -> Decimal | None:
    known = [one.cost_usd for one in tries if one.cost_usd is not None]
    return sum(known, Decimal(0)) if len(known) == len(tries) else None
