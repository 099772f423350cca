"""Faults on demand: what to break, where, and how often."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec

ENDPOINTS = (
    "messages.create",
    "messages.count_tokens",
    "models.list",
    "models.retrieve",
    "batches.create",
    "batches.list",
    "batches.retrieve",
    "batches.delete",
    "batches.cancel",
    "batches.results",
)
BEFORE = (
    "drop_before_accept", "error_before_accept", "rate_limited", "spend_cap", "hang_before_accept",
    "page_before_accept",
)  # fmt: skip
"""Happens in place of the work: nothing is created or billed."""
AFTER = (
    "accept_then_drop", "error_after_accept", "accept_then_hang", "slow_body", "page_after_accept", "odd_body",
    "stream_error", "stream_dropped",
)  # fmt: skip
"""Happens after the work, if the call was accepted."""
RESULTS = (
    "results_short", "results_cut_mid_line", "results_dropped", "results_doubled", "results_unknown_ids",
    "results_unknown_type", "results_unknown_error_type",
)  # fmt: skip
"""Changes a results download."""
LIST = ("list_null_cursor", "list_lost_cursor")
"""Changes a page of the list that another page follows, or precedes."""
WINDOWS = ("not_found_when_fresh", "late_in_list")
"""Happens on every call while something is younger than `seconds`."""

Kind = Literal[
    "drop_before_accept", "error_before_accept", "rate_limited", "spend_cap", "hang_before_accept",
    "accept_then_drop", "error_after_accept", "accept_then_hang", "slow_body",
    "page_before_accept", "page_after_accept", "odd_body", "odd_counts", "create_other_id",
    "stream_error", "stream_dropped",
    "list_null_cursor", "list_lost_cursor",
    "results_short", "results_cut_mid_line", "results_dropped", "results_doubled", "results_unknown_ids",
    "results_unknown_type", "results_unknown_error_type", "results_foreign_host",
    "not_found_when_fresh", "late_in_list", "cancel_ignored",
]  # fmt: skip
Shape = Literal["gzip", "deflate", "bom", "crlf", "cut"]
Counts = Literal["null", "missing", "text", "zero", "more", "fewer"]
AFTER_THE_END = ("zero", "more", "fewer")
"""Wrong counts that only Message Batches that have ended show."""
_DEFAULT_ENDPOINT = {
    "stream_error": "messages.create",
    "stream_dropped": "messages.create",
    "odd_counts": "batches.retrieve",
    "create_other_id": "batches.create",
    **dict.fromkeys(RESULTS, "batches.results"),
    "results_foreign_host": "batches.retrieve",
    "late_in_list": "batches.list",
    **dict.fromkeys(LIST, "batches.list"),
    "cancel_ignored": "batches.cancel",
}
_FOREVER = -1


class InjectedFault(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One fault; README.md describes each kind."""

    kind: Kind
    endpoint: str = ""
    """E.g. `batches.create`, `batches.*`; the kind's own by default, else `*`."""
    times: int | None = None
    """How often it happens: once by default (window kinds: always); -1 for always."""
    after: int = 0
    """How many matching calls pass first."""
    status: int = 500
    retry_after: float | None = 1.0
    """Seconds, for `rate_limited`; null sends no header."""
    error_code: str = ""
    """For `error.details.error_code`, e.g. `ramp_limit_exceeded`; none if empty."""
    seconds: float = 60.0
    """For windows, emulated seconds; for hanging and slow responses, real seconds."""
    lines: int = 1
    """How many result lines are changed."""
    fraction: float = 0.5
    """The place of a drop in the results, or of the end of a stream, 0 to 1."""
    host: str = "https://results.example.invalid"
    body: str = "<html><body><h1>The proxy says no</h1></body></html>"
    """What a proxy answers instead of the API."""
    shape: Shape = "gzip"
    """What happens to a body, for `odd_body`."""
    counts: Counts = "null"
    """The `request_counts` of a Message Batch, for `odd_counts`."""
    batch_id: str = ""
    """The Message Batch that `create_other_id` answers with; the newest other one if empty."""

    id: int = 0
    fired: int = 0

    def spent(self) -> bool:
        """Return whether it will never happen again."""
        return self.times != _FOREVER and self.fired >= (self.times or 0)


def _always(_fault: InjectedFault) -> bool:
    return True


class FaultBoard:
    """The injected faults, in order; the first that matches happens."""

    def __init__(self) -> None:
        """Start without faults."""
        self._faults: list[InjectedFault] = []
        self._count = 0

    def inject(self, fault: InjectedFault) -> InjectedFault:
        """Inject a fault; return it with its id and its defaults.

        Raises ValueError for an unknown endpoint, because such a fault would never happen.
        """
        fault.endpoint = fault.endpoint or _DEFAULT_ENDPOINT.get(fault.kind, "*")
        if not any(fnmatchcase(endpoint, fault.endpoint) for endpoint in ENDPOINTS):
            raise ValueError(f"no endpoint matches {fault.endpoint!r}; they are: {', '.join(ENDPOINTS)}")
        self._count += 1
        fault.id = self._count
        fault.fired = 0
        if fault.times is None:
            fault.times = _FOREVER if fault.kind in WINDOWS else 1
        self._faults.append(fault)
        return fault

    def take(
        self,
        endpoint: str,
        kinds: tuple[str, ...],
        when: Callable[[InjectedFault], bool] = _always,
    ) -> InjectedFault | None:
        """Return the first active fault of these kinds on this endpoint for which `when` holds, and count it."""
        for fault in self._faults:
            if fault.kind not in kinds or fault.spent() or not fnmatchcase(endpoint, fault.endpoint):
                continue
            if not when(fault):
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            fault.fired += 1
            return fault
        return None

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def listed(self) -> list[dict[str, Any]]:
        """Return all faults, even spent ones, with how often each happened."""
        return [msgspec.to_builtins(fault) for fault in self._faults]
