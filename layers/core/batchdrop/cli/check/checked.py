"""A checked file: what the job would send, and what it would cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from batchdrop.admission.cap_forecast import CapForecast, cap_forecast
from batchdrop.cli.check.estimate_view import cap_document, estimate_document
from batchdrop.errors import TooExpensive
from batchdrop.job.job_files import shape_of
from batchdrop.job.manifest import Manifest
from batchdrop.job.pilot import expects_pilot
from batchdrop.money.prices import PriceTable
from batchdrop.split.check_upload import Check
from batchdrop.split.count_sample import SampleCount
from batchdrop.split.findings import Findings
from batchdrop.split.job_estimate import estimated_usd, refuse_too_expensive


@dataclass(frozen=True, slots=True)
class Checked:
    """A checked file. `counted` is the sample's token count, already in the estimate; `prices` are the prices used."""

    check: Check
    manifest: Manifest
    prices: PriceTable
    findings: Findings = field(default_factory=Findings)
    counted: SampleCount | None = None
    counted_by: str = ""

    @property
    def is_good(self) -> bool:
        """Return whether no row is rejected, nothing must fail, and the estimated cost is within the cap."""
        return not self.check.rejected and not self.findings.faults and not self.too_expensive

    @property
    def too_expensive(self) -> str:
        """Return why the job would be refused for its cost; empty if it would not be."""
        try:
            refuse_too_expensive(self.manifest)
        except TooExpensive as refusal:
            return str(refusal)
        return ""

    @property
    def cap(self) -> CapForecast | None:
        """Return what the cap makes of the job; None if it has none that counts."""
        return cap_forecast(self.manifest, shape_of(self.manifest))

    def _saved_usd(self) -> Decimal | None:
        """Return what the remembered answers would cost; None if nothing is known."""
        if self.check.saved is None:
            return None
        usd = estimated_usd(self.check.saved, self.manifest.recipe, self.manifest.lane, self.prices)
        return usd.expected if usd else None

    def document(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        estimate = (self.check.estimate, self.manifest.recipe, self.manifest.lane, self.prices, self.counted)
        return {
            "rows": self.check.rows,
            "requests": self.check.estimate.requests,
            "rejected": self.check.rejected,
            "duplicates": self.check.duplicates,
            "remembered": self.check.remembered,
            "saved_usd": self._saved_usd(),
            "skipped": self.check.skipped,
            "reasons": self.check.reasons,
            "faults": self.findings.faults,
            "warnings": self.findings.warnings,
            "notes": self.check.notes,
            "gold": {field: counts.truths for field, counts in self.check.gold.items()},
            "output": f"output.{self.check.output}",
            "new_columns": self.check.new_columns,
            "estimate": estimate_document(*estimate),
            "cache": self.manifest.cache,
            "pilot": expects_pilot(self.manifest),
            "too_expensive": self.too_expensive or None,
            "cap": cap_document(self.cap),
            "escalation": self.check.estimate.escalation_usd(self.manifest.lane, self.prices),
        }
