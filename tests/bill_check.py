"""One bill: what a job's summary says is what the emulator charged. Every whole job on a stack passes through here."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from batchdrop.local.claude_api.testing import Emulator

_LATER = re.compile(r"-v\d+$")
ROUNDING = Decimal("1e-12")  # dollars: the emulator's bill is in whole picodollars for each request
NOTHING = Decimal(0)


class BillCheck:
    """Compares the summaries of ended jobs with the bill since the emulator's last reset."""

    def __init__(self, claude: Emulator) -> None:
        self._claude = claude
        self._live: dict[str, tuple[Decimal, Decimal]] = {}  # by job: the live lane's dollars, and what may be missing

    def check(self, job_id: str, summary: bytes | None) -> None:
        """Raise AssertionError unless the job's cost, lane by lane, is the bill.

        Requests that the summary lists as perhaps paid may be in the bill, up to their highest cost. The Messages API
        names no request in its bill, so the live lane is compared over all jobs that have ended.
        """
        entries = self._claude.bill()
        job_id = _LATER.sub("", job_id)  # a later version's summary has the bill of all versions
        ours = [entry for entry in entries if (entry["custom_id"] or "").startswith(f"{job_id}-")]
        if summary is None:
            assert not ours, f"{job_id} has no summary, and was billed {len(ours)} requests"
            return
        found: dict[str, Any] = json.loads(summary, parse_float=Decimal)
        if found["cost"]["usd"] is None:
            return  # the model's price is not known, and the summary says so
        by_lane = {block["lane"]: Decimal(block["usd"]) for block in found["lanes"]}
        assert sum(by_lane.values(), NOTHING) == Decimal(found["cost"]["usd"]), "the lanes are not the cost"
        actual, own = (found.get("estimate") or {}).get("actual"), (found.get("retry") or found["cost"])["usd"]
        assert actual is None or actual["usd"] == own, "the estimate's actual dollars are not the cost"
        unsure = Decimal(found["perhaps_paid"]["worst_usd"] or 0)
        _compare(job_id, by_lane.get("batch", NOTHING), ours, unsure)
        self._live[job_id] = by_lane.get("live", NOTHING), unsure
        told, unsure = (sum(column, NOTHING) for column in zip(*self._live.values(), strict=True))
        if any(live for live, _ in self._live.values()):
            _compare("the live lane", told, [entry for entry in entries if entry["lane"] == "live"], unsure)


def _compare(what: str, told: Decimal, entries: list[dict[str, Any]], unsure: Decimal) -> None:
    billed = sum((Decimal(entry["usd"]) for entry in entries), NOTHING)
    rounding = ROUNDING * max(1, len(entries))
    assert told - rounding <= billed <= told + unsure + rounding, (
        f"{what}: the bill is ${billed} for {len(entries)} requests, the summary says ${told}, "
        f"and at most ${unsure} for requests that are perhaps paid"
    )
