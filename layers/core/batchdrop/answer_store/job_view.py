"""A job's view of the answer store: fixed by the first attempt of its split, so that all attempts find the same."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from batchdrop.answer_store.answer import damaged
from batchdrop.answer_store.key import Keys
from batchdrop.answer_store.ports import AnswerStore, View
from batchdrop.ports import ObjectChanged, ObjectMissing, ObjectStore


class JobView(msgspec.Struct, frozen=True):
    """The answers that a job looks up: those of its recipe that were published by then, and are not older than `since`.

    `since` is in Unix seconds. `secret_id` is a digest of the store's secret; a store that is made again has another.
    """

    recipe: str
    view: View
    since: int
    secret_id: str

    def keys(self, answers: AnswerStore, policy: bytes) -> Keys:
        """Return what makes the job's keys. Raises AnswerStoreDamaged if the store was made again meanwhile."""
        secret = answers.secret(self.recipe)
        if _id_of(secret) != self.secret_id:
            raise damaged(f"answers/{self.recipe}/", "the store was deleted while the file was split")
        return Keys(secret, policy)


def fixed_view(store: ObjectStore, key: str, answers: AnswerStore, *, recipe: str, since: int) -> JobView:
    """Return the view at `key`, the job's own object; the first call writes it, and no other changes it."""
    known = _read(store, key)
    if known is not None:
        return known
    # The view comes after the secret: a store that is made again between the two has no runs that the keys could meet.
    secret_id = _id_of(answers.secret(recipe))
    made = JobView(recipe, answers.view(recipe, since=since), since, secret_id)

    def refuse_second() -> None:
        if store.exists(key):
            raise ObjectChanged(key)

    try:
        store.write(key, msgspec.json.encode(made), guard=refuse_second)
    except ObjectChanged:  # another attempt was first
        return msgspec.json.decode(store.read(key), type=JobView)
    return made


def _read(store: ObjectStore, key: str) -> JobView | None:
    try:
        return msgspec.json.decode(store.read(key), type=JobView)
    except ObjectMissing:
        return None


def _id_of(secret: bytes) -> str:
    return blake2b(secret, digest_size=8).hexdigest()
