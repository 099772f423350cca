"""Process a Message Batch: answer every request once, in shuffled order, and write the results to disk.

Processing starts when the batch is accepted, in a worker thread. The batch decides what is visible, and when: a cancel
or the expiry hides the results of requests that the emulated clock had not reached.
"""

import random
import threading
from array import array
from typing import Any

import msgspec

from batchdrop.local.claude_api.batch_body import ITEM, BodyIndex
from batchdrop.local.claude_api.batches import FATES, Batch, Processed
from batchdrop.local.claude_api.dice import Dice
from batchdrop.local.claude_api.errors import ApiError, error_body
from batchdrop.local.claude_api.fake_model import FakeModel, failure, read_request
from batchdrop.local.claude_api.fates import Fate
from batchdrop.local.claude_api.message_types import Message
from batchdrop.local.claude_api.prices import picodollars
from batchdrop.local.claude_api.prompt_cache import Visit
from batchdrop.local.claude_api.settings import Settings
from batchdrop.local.claude_api.storage import LineWriter, SliceReader

BODY_FILE = "body.json"
_ENCODER = msgspec.json.Encoder()


class Charge(msgspec.Struct, kw_only=True):
    """One entry of the bill, as stored."""

    rank: int
    custom_id: str
    model: str
    picodollars: int
    prompt_digest: str
    usage: Any


class BatchWork:
    """The processing of one batch; `run` is called once, in a worker thread."""

    def __init__(
        self,
        batch: Batch,
        index: BodyIndex,
        model: FakeModel,
        settings: Settings,
        stop: threading.Event,
    ) -> None:
        """Prepare; once `stop` is set, `run` raises."""
        self._stop = stop
        self._batch = batch
        self._index = index
        self._model = model
        self._settings = settings
        self._fates = bytearray()
        self._body = SliceReader(batch.folder / BODY_FILE)
        self._results = LineWriter(batch.folder / "results.jsonl")
        self._charges = LineWriter(batch.folder / "charges.jsonl")

    def run(self) -> Processed:
        """Answer every request, then delete the body; raises InterruptedError once `stop` is set."""
        order = shuffled(len(self._index), self._settings.seed, self._batch.number)
        for rank, place in enumerate(order):
            if self._stop.is_set():
                raise InterruptedError
            self._ask(rank, place)
        self._body.close()
        (self._batch.folder / BODY_FILE).unlink()
        return Processed(order, bytes(self._fates), self._results.close(), self._charges.close())

    def _ask(self, rank: int, place: int) -> None:
        item = ITEM.decode(self._body.read(self._index.starts[place], self._index.sizes[place]))
        try:
            result = self._result(rank, item.custom_id, item.params)
        except ApiError as error:
            result = {"type": "errored", "error": error_body(error, None)}
        self._fates.append(FATES.index(result["type"]))
        self._results.add(_ENCODER.encode({"custom_id": item.custom_id, "result": result}))

    def _result(self, rank: int, custom_id: str, params: msgspec.Raw) -> dict[str, Any]:
        batch, settings = self._batch, self._settings
        request = read_request(
            params,
            lane="batch",
            version=batch.version,
            betas=batch.betas,
            strict_schemas=settings.strict_schemas,
        )
        fate: Fate = self._model.fate(request, settings, str(batch.number), custom_id)
        if fate.kind == "errored":
            raise failure(fate)
        if fate.kind != "succeeded":
            return {"type": fate.kind}
        message = self._model.message(request, fate, visit=self._visit(rank, custom_id), settings=settings)
        self._charge(rank, custom_id, message, request.prompt.digest.hex())
        return {"type": "succeeded", "message": message}

    def _visit(self, rank: int, custom_id: str) -> Visit:
        settings, batch = self._settings, self._batch
        luck = Dice("prompt cache", str(settings.seed), str(batch.number), custom_id).fraction()
        warm, cold = settings.warm_hit_rate, settings.cold_hit_rate
        return Visit("batch", batch.created_at, batch.done_at(rank), None, luck, warm, cold)

    def _charge(self, rank: int, custom_id: str, message: Message, digest: str) -> None:
        charge = Charge(
            rank=rank,
            custom_id=custom_id,
            model=message.model,
            picodollars=picodollars(message.model, message.usage, half=True),
            prompt_digest=digest,
            usage=message.usage,
        )
        self._charges.add(_ENCODER.encode(charge))


def shuffled(count: int, seed: int, number: int) -> "array[int]":
    """Return 0..count-1 in an order that depends on the seed and the batch's number."""
    order = array("I", range(count))
    random.Random(f"{seed}/{number}").shuffle(order)
    return order
