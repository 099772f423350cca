"""The bill: one entry for each request that the API would charge."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from batchdrop.local.claude_api.batches import Batch, BatchShelf
from batchdrop.local.claude_api.message_types import Message
from batchdrop.local.claude_api.prices import TABLE, picodollars, usd
from batchdrop.local.claude_api.processing import Charge

_CHARGE = msgspec.json.Decoder(Charge)
_SHOWN_DUPLICATES = 100


class Entry(msgspec.Struct, kw_only=True):
    """A charged request."""

    custom_id: str | None
    batch_id: str | None
    lane: str
    model: str
    usage: dict[str, Any]
    usd: str
    done_at: float
    prompt_digest: str
    picodollars: int = 0


class Bill:
    """Charges of both lanes. A batch's charges count when the emulated clock has reached them."""

    def __init__(self, shelf: BatchShelf) -> None:
        """Start empty."""
        self._shelf = shelf
        self._live: list[Entry] = []

    def add_live(self, message: Message, digest: str, now: float) -> None:
        """Charge an answer of the Messages API."""
        price = picodollars(message.model, message.usage, half=False)
        self._live.append(
            Entry(
                custom_id=None,
                batch_id=None,
                lane="live",
                model=message.model,
                done_at=now,
                prompt_digest=digest,
                usage=msgspec.to_builtins(message.usage),
                usd=usd(price),
                picodollars=price,
            ),
        )

    def entries(self, now: float) -> Iterator[Entry]:
        """Yield every charge made by `now`."""
        for batch in self._shelf.all():
            yield from _batch_entries(batch, now)
        yield from list(self._live)

    def document(self, now: float) -> Iterator[bytes]:
        """Yield the whole bill as JSON."""
        yield b'{"currency":"USD","prices":' + msgspec.json.encode(TABLE.date) + b',"entries":['
        comma = b"\n"
        for entry in self.entries(now):
            yield comma + msgspec.json.encode(entry)
            comma = b",\n"
        yield b"\n]}"

    def summary(self, now: float) -> dict[str, Any]:
        """Return only the totals."""
        total = _Totals()
        for entry in self.entries(now):
            total.add(entry)
        return total.shown()


class _Totals:
    def __init__(self) -> None:
        self.requests = 0
        self.pico = 0
        self.tokens: Counter[str] = Counter()
        self.by_lane: Counter[str] = Counter()
        self.by_batch: dict[str, list[int]] = {}
        self.ids: Counter[str] = Counter()
        self.prompts: Counter[str] = Counter()

    def add(self, entry: Entry) -> None:
        self.requests += 1
        self.pico += entry.picodollars
        self.by_lane[entry.lane] += 1
        for name in (
            "input_tokens",
            "output_tokens",
            "cache_creation_input_tokens",
            "cache_read_input_tokens",
        ):
            self.tokens[name] += entry.usage[name]
        self.prompts[entry.prompt_digest] += 1
        if entry.batch_id is not None:
            held = self.by_batch.setdefault(entry.batch_id, [0, 0])
            held[0] += 1
            held[1] += entry.picodollars
        if entry.custom_id is not None:
            self.ids[entry.custom_id] += 1

    def shown(self) -> dict[str, Any]:
        doubled = {name: times for name, times in self.ids.items() if times > 1}
        return {
            "requests": self.requests,
            "usd": usd(self.pico),
            "by_lane": dict(self.by_lane),
            "by_batch": {name: {"requests": held[0], "usd": usd(held[1])} for name, held in self.by_batch.items()},
            "tokens": dict(self.tokens),
            "duplicate_custom_ids": len(doubled),
            "duplicates": dict(list(doubled.items())[:_SHOWN_DUPLICATES]),
            "duplicate_prompts": sum(times > 1 for times in self.prompts.values()),
            "prices": TABLE.date,
        }


def _batch_entries(batch: Batch, now: float) -> Iterator[Entry]:
    """Yield the charges of the requests processed by `now`; the answers must be written."""
    done = batch.done(now)
    for line in batch.ready.result().charges.lines():
        charge = _CHARGE.decode(line)
        if charge.rank >= done:
            return
        yield Entry(
            custom_id=charge.custom_id,
            batch_id=batch.id,
            lane="batch",
            model=charge.model,
            usage=charge.usage,
            usd=usd(charge.picodollars),
            done_at=batch.done_at(charge.rank),
            prompt_digest=charge.prompt_digest,
            picodollars=charge.picodollars,
        )
