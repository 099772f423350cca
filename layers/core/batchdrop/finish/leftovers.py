"""Write the next round's create body. It has the leftovers' requests, byte for byte as in the first round."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import msgspec

from batchdrop.admission.worst_case import RAISED, WorstCase
from batchdrop.answers import custom_id
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import ShardItem
from batchdrop.job.stored_lines import whole_lines
from batchdrop.ports import ObjectStore
from batchdrop.requests.request import request_line
from batchdrop.requests.sharding import BODY_HEAD, BODY_SEPARATOR, BODY_TAIL
from batchdrop.requests.stored_request import StoredRequest, stored_request


def write_leftovers(
    job_id: str,
    item: ShardItem,
    round_number: int,
    *,
    leftovers: set[int],
    cut: set[int],
    store: ObjectStore,
    worst: WorstCase | None,
) -> None:
    """Write the create body of a round: rows of `leftovers` unchanged, rows of `cut` with a raised `max_tokens`.

    Each request is added to `worst`, if there is one.
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
            if request is None or not (index in leftovers or index in cut):
                continue
            params = _raised(request.params) if index in cut else bytes(request.params)
            if worst is not None:
                worst.add(params)
            body.write(separator + request_line(request.custom_id, params))
            separator = BODY_SEPARATOR
        body.write(BODY_TAIL)


def _index(request: StoredRequest | None) -> int | None:
    parsed = custom_id.parse(request.custom_id) if request else None
    return parsed.index if parsed else None


def _raised(params: msgspec.Raw) -> bytes:
    fields: dict[str, Any] = msgspec.json.decode(params)
    return msgspec.json.encode({**fields, "max_tokens": fields["max_tokens"] * RAISED})
