"""Decide how the rows of a shard that were never sent are packed next: a first wave, all in packs, or all alone."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from batchdrop.finish.escalations import Escalations
from batchdrop.finish.pack_draw import packed
from batchdrop.finish.packed_rounds import PackedRounds
from batchdrop.finish.shard_requests import ShardRequests
from batchdrop.job.job_files import shape_of
from batchdrop.job.manifest import Manifest
from batchdrop.job.pack_sizes import sizes_of
from batchdrop.money.answer_tokens import expected_tokens
from batchdrop.money.pack_rule import (
    DEAR,
    FEWEST,
    Sized,
    best_size,
    first_packs,
    pays,
    tried_sizes,
)
from batchdrop.money.prices import effective
from batchdrop.money.prompt_tokens import request_size, tokeniser
from batchdrop.requests.pack_limits import A_ROW

LEAST_MEASURED = 5  # ours: fewer answered packs prove nothing; more are sent first
PRICED = 5  # packs whose texts show what packs of a size cost
DEARER_OUTPUT = 5  # tokens of input for one of output, where a price is not known

Plan = list[tuple[int, int | None]]  # (rows in a pack, how many packs; None: all that are left)
ALONE: Plan = [(1, None)]


class PackPlanner:
    """Plans the packs of one shard. Its plans depend on stored answers only, so every attempt makes the same ones.

    `claims` says which rows went to another model. `is_other` plans the packs of that model.
    """

    def __init__(
        self,
        manifest: Manifest,
        rounds: PackedRounds,
        requests: ShardRequests,
        *,
        claims: Escalations | None = None,
        is_other: bool = False,
    ) -> None:
        assert manifest.recipe is not None, "only a recipe has packs"
        self._recipe = manifest.recipe
        self._rounds = rounds
        self._requests = requests
        self._sizes = sizes_of(manifest)
        self._claims, self._is_other = claims, is_other
        self._frame = rounds.to_other if is_other else rounds.requests
        own, escalate = manifest.recipe.model, manifest.recipe.escalate
        model = escalate.to if is_other and escalate is not None else own
        self._longer = tokeniser(model) / tokeniser(own)
        price = effective(manifest.prices).of_model(model)
        self._dearer = float(price.standard.output / price.standard.input) if price else float(DEARER_OUTPUT)
        limit = manifest.recipe.own_tokens or 1
        self._expected = expected_tokens(shape_of(manifest), model=model, max_tokens=limit)

    def plan(self, fresh: Sequence[int], *, was_packed: bool, waits: bool) -> Plan:
        """Return the plan for the rows that were never sent, in the order of the draw; an empty plan sends none yet.

        `was_packed`: the shard sent packs before. `waits`: some of them are sent again now.
        """
        if self._sizes[-1] == 1:
            return ALONE
        measured = [
            (len(rows), self.price(rows) + missed / len(rows))
            for number, rows, missed in self._rounds.answered_packs()
            if self._is_own(number, rows)
        ]
        if not measured and was_packed:
            return [] if waits else ALONE
        if not measured:
            return self._first_wave(fresh)
        return (
            self._auto(measured) if self._recipe.pack_rows == "auto" else self._fixed([ratio for _, ratio in measured])
        )

    def _is_own(self, round_number: int, rows: Sequence[int]) -> bool:
        """Return whether a pack is of the model that is planned for."""
        claims = self._claims
        return (claims is not None and claims.is_second(rows[0], round_number + 1)) == self._is_other

    def price(self, rows: Sequence[int]) -> float:
        """Return what a pack of these rows costs, as a share of the rows alone."""
        alone = sum(request_size(self._requests.params(row)).input_tokens for row in rows) * self._longer
        pack = request_size(self._requests.pack(rows, self._frame, "price")).input_tokens
        answers = len(rows) * self._expected
        return (pack + self._dearer * (answers + A_ROW * len(rows))) / (alone + self._dearer * answers)

    def _first_wave(self, fresh: Sequence[int]) -> Plan:
        sizes = [Sized(size, self._typical(fresh, size)) for size in self._sizes]
        if self._recipe.pack_rows == "auto":
            tried = tried_sizes(len(fresh), sizes)
            return [(one.rows, FEWEST) for one in tried] or ALONE
        [size] = sizes
        if size.price >= DEAR:
            return ALONE
        if len(fresh) <= 2 * FEWEST * size.rows:  # a second round would cost more time than it saves money
            return [(size.rows, None)]
        return [(size.rows, max(FEWEST, first_packs(len(fresh), size)))]

    def _typical(self, fresh: Sequence[int], size: int) -> float:
        some = packed(fresh[: PRICED * size], size, self._requests.chars, self._requests.group)
        return fmean([self.price(rows) for rows in some if len(rows) > 1] or [1.0])

    def _fixed(self, ratios: list[float]) -> Plan:
        if len(ratios) < LEAST_MEASURED:
            return [(self._sizes[0], FEWEST - len(ratios))]
        return [(self._sizes[0], None)] if pays(ratios) else ALONE

    def _auto(self, measured: list[tuple[int, float]]) -> Plan:
        by_size: dict[int, list[float]] = {size: [] for size in self._sizes}
        for rows, ratio in measured:  # the last packs of groups have fewer rows than their size
            by_size[min((size for size in self._sizes if size >= rows), default=self._sizes[-1])].append(ratio)
        best = best_size({size: ratios for size, ratios in by_size.items() if len(ratios) >= LEAST_MEASURED})
        return [(best, None)] if best else ALONE
