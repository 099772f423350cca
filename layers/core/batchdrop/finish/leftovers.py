"""Write the next round's create body. It has the leftovers' requests, as in the first round or changed on purpose."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import msgspec

from batchdrop.admission.worst_case import RAISED, WorstCase
from batchdrop.answers import custom_id
from batchdrop.finish.next_round import SendAgain
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import ShardItem
from batchdrop.job.stored_lines import whole_lines
from batchdrop.ports import ObjectMissing, ObjectStore
from batchdrop.requests.request import request_line
from batchdrop.requests.sharding import BODY_HEAD, BODY_SEPARATOR, BODY_TAIL
from batchdrop.requests.stored_request import StoredRequest, stored_request


def write_leftovers(
    job_id: str,
    item: ShardItem,
    round_number: int,
    *,
    again: SendAgain,
    model: str | None,
    store: ObjectStore,
    worst: WorstCase | None,
) -> None:
    """Write the create body of a round: unchanged rows byte for byte, others with a raised `max_tokens`, or a `model`.

    `model` is that of the escalated rows. Each request is added to `worst`, if there is one.
    """
    keys = JobKeys(job_id)
    separator = BODY_HEAD
    with (
        closing(store.stream(keys.requests(item.shard))) as blocks,
        store.writer(keys.requests(item.shard, round_number)) as body,
    ):
        for line in whole_lines(blocks):
            request = stored_request(line)
            index = _index(request)
            if request is None or not any(index in rows for rows in again):
                continue
            params = changed_params(
                request.params,
                times=RAISED if index in again.raised else 1,
                model=model if index in again.escalated else None,
            )
            if worst is not None:
                worst.add(params)
            body.write(separator + request_line(request.custom_id, params))
            separator = BODY_SEPARATOR
        body.write(BODY_TAIL)


def _index(request: StoredRequest | None) -> int | None:
    parsed = custom_id.parse(request.custom_id) if request else None
    return parsed.index if parsed else None


def changed_params(params: msgspec.Raw, *, times: int = 1, model: str | None = None) -> bytes:
    """Return a request's params with `times` its `max_tokens`, and with another `model`; unchanged bytes without."""
    if times == 1 and model is None:
        return bytes(params)
    fields: dict[str, Any] = msgspec.json.decode(params)
    fields["max_tokens"] *= times
    return msgspec.json.encode(fields if model is None else {**fields, "model": model})


def written_round(job_id: str, shard: int, round_number: int, *, store: ObjectStore, worst: WorstCase | None) -> int:
    """Return the number of requests in a round's create body, each added to `worst`; 0 if there is no body."""
    requests = 0
    try:
        with closing(store.stream(JobKeys(job_id).requests(shard, round_number))) as blocks:
            for request in filter(None, map(stored_request, whole_lines(blocks))):
                requests += 1
                if worst is not None:
                    worst.add(bytes(request.params))
    except ObjectMissing:
        return 0
    return requests
