"""Agreement in words that promise nothing that was not counted."""

from __future__ import annotations

from batchdrop.saver.agreement import Agreement
from batchdrop.saver.search import Certificate


def percent(count: int, rows: int) -> str:
    """Return a share in percent. A single row that differs is never rounded away."""
    if not rows:
        return "unknown"
    written = f"{100 * count / rows:.1f} %"
    if count < rows and written == "100.0 %":
        return "> 99.9 %"
    return "< 0.1 %" if count and written == "0.0 %" else written


def agreement_words(one: Agreement) -> str:
    """Return an agreement with its interval: `97.5 % of rows (195 of 200; 94.3 to 98.9 % with 95 % confidence)`."""
    if not one.rows:
        return "an unknown share of rows: none has an answer of both"
    sure = f"{100 * one.low:.1f} to {100 * one.high:.1f} % with {100 * one.confidence:g} % confidence"
    return f"{percent(one.agreed, one.rows)} of rows ({one.agreed:,} of {one.rows:,}; {sure})"


def certificate_words(certificate: Certificate, *, keep: float, confidence: float) -> str:
    """Return what is certified: `at least 98.0 % of rows, with 95 % confidence (991 of 1,000; eight plans tried)`."""
    seen = f"{certificate.agreed:,} of {certificate.rows:,}; {_plans(certificate.tried)} tried"
    share = f"{100 * keep:.1f}" if float(f"{100 * keep:.1f}") <= 100 * keep else f"{100 * keep:g}"
    return f"at least {share} % of rows, with {100 * confidence:g} % confidence ({seen})"


def _plans(count: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
    return f"{words[count] if count < len(words) else count} plan{'' if count == 1 else 's'}"
