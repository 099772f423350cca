"""The order of a retry: which rows of a job are sent again, with which recipe. It makes the job's next version.

A retry is a job of its own kind: it is split, sent, collected, canceled and resumed like any other. Its id is the
job's id with `-v2`, `-v3` …, so that Step Functions and this order, which is written once, allow one retry at a time.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

import msgspec

from batchdrop.errors import RetryRefused
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.versions import first_version, version_of, with_version
from batchdrop.ports import ObjectChanged, ObjectMissing, ObjectStore
from batchdrop.recipe.recipe import Input, Recipe


class RetryOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What a version sends again. `digest` is of the version before it, the rows and the recipe.

    `spent_usd` is what the versions before it cost: the recipe's `max_cost_usd` holds for all versions together.
    `pays_again`: no row is looked up in the answer store.
    """

    record: UploadRecord
    digest: str
    rows: int
    recipe: Recipe | None
    schema: Any = None
    spent_usd: Decimal = Decimal(0)
    pays_again: bool = False

    @property
    def sent_recipe(self) -> Recipe | None:
        """Return the recipe that the split uses: it reads lines of failed.jsonl, without a sample, under what is left.

        Raises RetryRefused if nothing is left of `max_cost_usd`.
        """
        if self.recipe is None:
            return None
        recipe, left = self.recipe, None
        if recipe.cap is not None:
            left = recipe.cap - self.spent_usd
            if left <= 0:
                raise RetryRefused(_spent(recipe.cap, self.spent_usd))
        output = msgspec.structs.replace(recipe.output, format=None, compression=None, encoding=None)
        return msgspec.structs.replace(
            recipe, input=Input(), output=output, sample=None, max_cost_usd=None if left is None else float(left)
        )


def read_order(store: ObjectStore, job_id: str) -> RetryOrder | None:
    """Return the order of a version; None if there is none, as for version 1."""
    try:
        return msgspec.json.decode(store.read(JobKeys(job_id).retry), type=RetryOrder)
    except ObjectMissing:
        return None


def versions(store: ObjectStore, job_id: str) -> list[str]:
    """Return the ids of all versions that a job has, the first one included, also those that are not finished."""
    first, found = first_version(job_id), [first_version(job_id)]
    for number in count(2):
        version = with_version(first, number)
        if not store.exists(JobKeys(version).retry):
            return found
        found.append(version)
    raise AssertionError  # count() never ends


def later_version(job_id: str, store: ObjectStore) -> str | None:
    """Return the id of the version after this one; None if there is none. It may have sent rows of this one."""
    after = with_version(job_id, version_of(job_id) + 1)
    return after if store.exists(JobKeys(after).retry) else None


def claim(order: RetryOrder, store: ObjectStore) -> RetryOrder:
    """Write the order of the next version unless that version has one. Return the one that is stored.

    The caller may start only the stored order's record, so that one retry at most is started for a version.
    """
    key = JobKeys(order.record.job_id).retry

    def is_free() -> None:
        if store.exists(key):
            raise ObjectChanged(key)

    try:
        store.write(key, msgspec.json.encode(order), guard=is_free)
    except ObjectChanged:
        stored = read_order(store, order.record.job_id)
        if stored is None:
            raise
        return stored
    return order


def _spent(cap: Decimal, spent: Decimal) -> str:
    return (
        f"the job has cost ${spent:.6f}, and its max_cost_usd is ${cap}, which holds for all its versions. Raise it "
        "in a copy of the recipe, then retry with `--recipe COPY.yaml`"
    )
