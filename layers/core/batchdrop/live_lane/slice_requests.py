"""Read what is left of a slice: its requests without a line in the bucket, and what its earlier workers learned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from batchdrop.answers.result_line import FlushedHead
from batchdrop.answers.verdict import Verdict
from batchdrop.job.layout import JobKeys
from batchdrop.job.stored_lines import whole_lines
from batchdrop.live_lane.slice import Slice
from batchdrop.ports import ObjectStore
from batchdrop.requests.stored_request import StoredRequest, stored_request

_HEAD = msgspec.json.Decoder(FlushedHead)


class _Head(msgspec.Struct):
    model: Any = ""
    max_tokens: Any = 0


_PARAMS = msgspec.json.Decoder(_Head)


class LiveRequest(NamedTuple):
    """A request to send. `params` is the body of its POST."""

    custom_id: str
    model: str
    max_tokens: int
    params: bytes


@dataclass(slots=True)
class Flushed:
    """The custom_ids with a line in the bucket from any worker, and what their lines say.

    `answered` and `errored` count requests. `finished` counts those that no later round sends again.
    `seconds` has the time of each answer.
    """

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, line: FlushedHead) -> None:
        """Add a line. The better one of two lines stays."""
        name = line.custom_id
        self.verdicts[name] = max(line.verdict, self.verdicts.get(name, line.verdict))
        if line.seconds is not None:
            self.seconds[name] = line.seconds

    @property
    def answered(self) -> int:
        """Return the number of answers."""
        return sum(verdict.is_paid for verdict in self.verdicts.values())

    @property
    def errored(self) -> int:
        """Return the number of requests with another line."""
        return len(self.verdicts) - self.answered

    @property
    def finished(self) -> int:
        """Return the number of requests that are not leftovers."""
        return sum(verdict > Verdict.ACCOUNT for verdict in self.verdicts.values())


def flushed(store: ObjectStore, slice_: Slice) -> Flushed:
    """Return what the workers of a slice have flushed."""
    found = Flushed()
    for key in store.keys(JobKeys(slice_.job_id).live_answers(slice_.shard, slice_.round, slice_.slice)):
        with closing(store.stream(key)) as blocks:
            for line in whole_lines(blocks):
                found.add(_HEAD.decode(line))
    return found


def requests_of(body: bytes) -> Iterator[LiveRequest]:
    """Yield the requests in a slice's bytes."""
    start = 0
    while start < len(body):
        end = body.find(b"\n", start)
        end = len(body) if end < 0 else end
        request = stored_request(body[start:end])
        if request is not None:
            yield _live(request)
        start = end + 1


def _live(request: StoredRequest) -> LiveRequest:
    params = bytes(request.params)
    head = _PARAMS.decode(params)
    model = head.model if isinstance(head.model, str) else ""
    max_tokens = head.max_tokens if isinstance(head.max_tokens, int) else 0  # the API refuses any other type
    return LiveRequest(request.custom_id, model, max_tokens, params)
