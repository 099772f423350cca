"""A job in the scale model: its inputs, and the resulting shards, rounds and slices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from batchdrop.finish.request_page import EVERY
from batchdrop.job.polling import poll_seconds, turn_seconds
from batchdrop.limits import MAX_BATCH_REQUESTS
from batchdrop.live_lane.answer_requests import BEAT_SECONDS
from batchdrop.live_lane.plan_slices import SLICE_BYTES, SLICE_REQUESTS
from batchdrop.money.answer_weight import BYTES_PER_TOKEN, LINE_BYTES
from batchdrop.requests.sharding import MAX_ANSWER_BYTES, MAX_BATCH_BYTES
from batchdrop.settings import LIVE_CONCURRENCY, LIVE_SHARE, LIVE_WINDOW, QUEUE_REQUESTS, SHARD_CONCURRENCY

MIDDLE_JITTER = 0.5
HOUR = 3_600.0
SLICES_TAKE = 6.0  # answer times per slice: 1,000 requests in a window of 200, plus start and end


@dataclass(frozen=True, kw_only=True)
class ScaleJob:
    """One job, with its account and stack. Bytes and tokens are averages per row.

    `answer_bytes` is the size of a result line, `output_bytes` of an output row. `leftovers` is the share of a round's
    requests that the next round sends again. `batch_hours` is the time of a Message Batch from create to end. `looks`
    overrides the number of all polls, `open_seconds` the time the job was open. `answer_seconds` is a live answer's
    latency.
    """

    rows: int
    lane: Literal["batch", "live"] = "batch"
    row_bytes: int = 300
    request_bytes: int = 420
    answer_bytes: int = 660
    output_bytes: int = 420
    input_tokens: int = 100
    output_tokens: int = 20
    max_tokens: int = 64
    rounds: int = 3
    leftovers: float = 0.0005
    batch_hours: float = 1.0
    looks: int | None = None
    answer_seconds: float = 1.2
    slice_seconds: float | None = None
    open_seconds: float | None = None
    shard_rows: int = MAX_BATCH_REQUESTS
    shard_concurrency: int = SHARD_CONCURRENCY
    queue_requests: int = QUEUE_REQUESTS
    live_concurrency: int = LIVE_CONCURRENCY
    live_window: int = LIVE_WINDOW
    live_share: float = LIVE_SHARE
    live_rpm: int = 4_000

    @property
    def rows_a_shard(self) -> int:
        """Return how many rows fit a shard: by count, by bytes of the create body, by the size of answers."""
        weight = LINE_BYTES + self.max_tokens * BYTES_PER_TOKEN
        return max(1, min(self.shard_rows, MAX_BATCH_BYTES // self.request_bytes, MAX_ANSWER_BYTES // weight))

    @property
    def shards(self) -> int:
        """Return the number of shards."""
        return math.ceil(self.rows / self.rows_a_shard)

    @property
    def requests_by_round(self) -> list[float]:
        """Return a shard's requests, round by round; a round has at least one."""
        first = self.rows / self.shards
        asked = [first * self.leftovers**number for number in range(self.rounds)]
        return [requests for requests in asked if requests >= 1] or [first]

    @property
    def rounds_asked(self) -> int:
        """Return how many rounds a shard has."""
        return len(self.requests_by_round)

    @property
    def requests(self) -> float:
        """Return the requests of all rounds and shards."""
        return sum(self.requests_by_round) * self.shards

    @property
    def slices_by_round(self) -> list[int]:
        """Return a shard's slices in the live lane, round by round."""
        most = max(1, min(SLICE_REQUESTS, SLICE_BYTES // self.request_bytes))
        return [math.ceil(requests / most) for requests in self.requests_by_round]

    @property
    def slices(self) -> int:
        """Return the slices of all shards and rounds; none in the batch lane."""
        return self.shards * sum(self.slices_by_round) if self.lane == "live" else 0

    @property
    def workers(self) -> int:
        """Return the number of concurrent live lane workers; each keeps its slice, even while it waits for permits."""
        return max(1, min(self.live_concurrency, self.slices))

    @property
    def rate_allowed(self) -> float:
        """Return the live requests per second that the account's limit leaves."""
        return self.live_rpm / 60 * self.live_share

    @property
    def rate_able(self) -> float:
        """Return the live requests per second that the workers' windows allow."""
        return self.workers * min(self.live_window, self.requests) / self.answer_seconds

    @property
    def open_at_once(self) -> int:
        """Return how many of its Message Batches fit the processing queue."""
        places = max(1, self.queue_requests // max(1, round(self.rows / self.shards)))
        return min(self.shards, self.shard_concurrency, places)

    @property
    def waves(self) -> int:
        """Return how many times the queue is filled, one after the other."""
        return math.ceil(self.shards / self.open_at_once)

    @property
    def all_looks(self) -> int:
        """Return the polls of all shards in all rounds."""
        if self.lane == "live":
            return 0
        return self.shards * self.rounds_asked * self.looks_a_round if self.looks is None else self.looks

    @property
    def looks_a_round(self) -> int:
        """Return how often a Message Batch is polled until its end is seen."""
        return _times(
            self.batch_hours * HOUR, lambda number: poll_seconds(number, open_shards=self._polled, jitter=0.5)
        )

    @property
    def drawings(self) -> int:
        """Return how often the page of the running job is drawn: after a poll or a worker's heartbeat, rate-limited."""
        if self.lane == "live":
            seconds, news = self.requests / min(self.rate_allowed, self.rate_able), self.slices * self.beats
        else:
            seconds, news = self.batch_hours * HOUR * self.waves, self.all_looks
        return min(news, 1 + int((self.open_seconds or seconds) / EVERY.total_seconds()))

    @property
    def beats(self) -> int:
        """Return how often a worker renews a slice's lease."""
        return int(self.seconds_a_slice / BEAT_SECONDS)

    @property
    def seconds_a_slice(self) -> float:
        """Return how long a slice takes."""
        return self.slice_seconds or self.answer_seconds * SLICES_TAKE

    @property
    def turns(self) -> int:
        """Return how often all started shards together try in vain to get a place."""
        if self.lane == "live":
            return 0
        return sum(map(self._turns_of, range(self.shards)))

    @property
    def most_turns(self) -> int:
        """Return how often the shard that waits longest tries in vain."""
        return max(map(self._turns_of, range(self.shards))) if self.lane == "batch" else 0

    def _turns_of(self, shard: int) -> int:
        started = (shard - self.shard_concurrency) // self.open_at_once + 1 if shard >= self.shard_concurrency else 0
        waits = (shard // self.open_at_once - started) * self.batch_hours * HOUR
        return _times(waits, lambda number: turn_seconds(number, jitter=MIDDLE_JITTER))

    @property
    def _polled(self) -> int:
        return min(self.shards, self.shard_concurrency)


def _times(seconds: float, wait: object) -> int:
    """Return how many waits, given by number, take at least these seconds."""
    assert callable(wait)
    number, passed = 0, 0.0
    while passed < seconds:
        passed += wait(number)
        number += 1
    return number
