"""Faults on demand: what to break, where, and how often."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec

ENDPOINTS = (
    "messages.create",
    "messages.count_tokens",
    "batches.create",
    "batches.list",
    "batches.retrieve",
    "batches.delete",
    "batches.cancel",
    "batches.results",
)
BEFORE = ("drop_before_accept", "error_before_accept", "rate_limited", "spend_cap", "hang_before_accept")
"""Fire instead of the work: nothing is created, nothing is billed."""
AFTER = ("accept_then_drop", "error_after_accept", "accept_then_hang", "slow_body")
"""Fire after the work was done, if it was accepted."""
RESULTS = (
    "results_short", "results_cut_mid_line", "results_dropped", "results_doubled", "results_unknown_ids",
    "results_unknown_type", "results_unknown_error_type",
)  # fmt: skip
"""Change what a results download brings."""
WINDOWS = ("not_found_when_fresh", "late_in_list")
"""Fire as often as asked, while something is younger than `seconds`."""

Kind = Literal[
    "drop_before_accept", "error_before_accept", "rate_limited", "spend_cap", "hang_before_accept",
    "accept_then_drop", "error_after_accept", "accept_then_hang", "slow_body",
    "results_short", "results_cut_mid_line", "results_dropped", "results_doubled", "results_unknown_ids",
    "results_unknown_type", "results_unknown_error_type", "results_foreign_host",
    "not_found_when_fresh", "late_in_list", "cancel_ignored",
]  # fmt: skip
_DEFAULT_ENDPOINT = {
    **dict.fromkeys(RESULTS, "batches.results"),
    "results_foreign_host": "batches.retrieve",
    "late_in_list": "batches.list",
    "cancel_ignored": "batches.cancel",
}
_FOREVER = -1


class Fault(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One fault; README.md says what each kind does."""

    kind: Kind
    endpoint: str = ""
    """E.g. `batches.create`, `batches.*`; the kind's own by default, else `*`."""
    times: int | None = None
    """How often it fires: once by default (window kinds: always); -1 for always."""
    after: int = 0
    """So many matching calls pass first."""
    status: int = 500
    retry_after: float | None = 1.0
    """Seconds, for `rate_limited`; null sends no header."""
    error_code: str = ""
    """For `error.details.error_code`, e.g. `ramp_limit_exceeded`; none if empty."""
    seconds: float = 60.0
    """Windows: emulated seconds. Hanging and dribbling: real seconds."""
    lines: int = 1
    """How many result lines are touched."""
    fraction: float = 0.5
    """Where in the results a drop comes, 0 to 1."""
    host: str = "https://results.example.invalid"

    id: int = 0
    fired: int = 0

    def spent(self) -> bool:
        """Tell whether it will never fire again."""
        return self.times != _FOREVER and self.fired >= (self.times or 0)


def _always(_fault: Fault) -> bool:
    return True


class FaultBoard:
    """The faults laid out, in order; the first that matches fires."""

    def __init__(self) -> None:
        """Start with none."""
        self._faults: list[Fault] = []
        self._count = 0

    def inject(self, fault: Fault) -> Fault:
        """Lay out a fault; returns it with its id and its defaults filled in.

        Raises ValueError if its endpoint is none of the API's, for it would never fire.
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
        when: Callable[[Fault], bool] = _always,
    ) -> Fault | None:
        """Return the first live fault of these kinds on this endpoint for which `when` holds, and count it as fired."""
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
        """Take all faults away."""
        self._faults.clear()

    def listed(self) -> list[dict[str, Any]]:
        """Return all faults, spent ones too, with how often each fired."""
        return [msgspec.to_builtins(fault) for fault in self._faults]
