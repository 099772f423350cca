"""Divide a pack's usage among its rows. The shares are whole tokens, and their sum is the pack's usage."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from batchdrop.answers.result import Usage

_encode = msgspec.json.encode


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """Return whole numbers in proportion to the weights, by the largest remainder. Their sum is `total`."""
    whole = sum(weights)
    if not whole:
        weights, whole = [1] * len(weights), len(weights)
    parts = [total * weight // whole for weight in weights]
    left = total - sum(parts)
    if left:
        rest = [total * weight % whole for weight in weights]
        for place in sorted(range(len(rest)), key=rest.__getitem__, reverse=True)[:left]:
            parts[place] += 1
    return parts


def usage_shares(usage: Usage, read: Sequence[int], written: Sequence[int]) -> list[bytes]:
    """Return each row's usage as JSON. `read` weighs the rows' parts of the prompt, `written` those of the answer.

    Fees that cannot be divided are the first row's.
    """
    inputs, outputs = shares(usage.input_tokens, read), shares(usage.output_tokens, written)
    tail = _same_for_all(usage)
    plain = [
        b'{"input_tokens":%d,"output_tokens":%d%b' % (of_input, of_output, tail)
        for of_input, of_output in zip(inputs, outputs, strict=True)
    ]
    cached = _cached(usage, read)
    if cached is not None:
        plain = [one + more for one, more in zip(plain, cached, strict=True)]
    if usage.server_tool_use is not None:
        plain[0] += b',"server_tool_use":%b' % _encode(usage.server_tool_use)
    return [one + b"}" for one in plain]


def _same_for_all(usage: Usage) -> bytes:
    named = (("service_tier", usage.service_tier), ("inference_geo", usage.inference_geo), ("speed", usage.speed))
    return b"".join([b',"%b":%b' % (name.encode(), _encode(value)) for name, value in named if value is not None])


def _cached(usage: Usage, weights: Sequence[int]) -> list[bytes] | None:
    """Return the rows' shares of what the prompt cache wrote and served; None if it did neither."""
    written, read = usage.cache_creation_input_tokens or 0, usage.cache_read_input_tokens or 0
    creation = usage.cache_creation
    kept_5m = creation.ephemeral_5m_input_tokens if creation else 0
    kept_1h = creation.ephemeral_1h_input_tokens if creation else 0
    if not (written or read or kept_5m or kept_1h):
        return None
    each = zip(shares(written, weights), shares(read, weights), strict=True)
    parts = [b',"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d' % one for one in each]
    if creation is None:
        return parts
    kept = zip(shares(kept_5m, weights), shares(kept_1h, weights), strict=True)
    form = b',"cache_creation":{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":%d}'
    return [part + form % one for part, one in zip(parts, kept, strict=True)]
