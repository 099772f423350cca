"""Say what a search found, in words that promise nothing that was not counted."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.text import Text

from batchdrop.cli.compare.compare_page import page_view
from batchdrop.cli.compare.compare_view import print_compared
from batchdrop.cli.save.searching import Saved
from batchdrop.money.cost import shown_usd
from batchdrop.saver.words import agreement_words, certificate_words


def verdict(saved: Saved) -> str:
    """Return the certificate in one sentence, or that there is none."""
    if saved.certificate is None:
        return "no model is certified: none of those that were tried agrees with the reference often enough"
    words = certificate_words(saved.certificate, keep=saved.keep, confidence=saved.confidence)
    return f"{saved.model} agrees with the reference on {words}"


def lines(saved: Saved) -> Iterator[tuple[str, str]]:
    """Yield what a person must know before the file is sent, each line with its style."""
    own = f"the reference agrees with itself on {agreement_words(saved.itself)}"
    if saved.is_noisy:
        yield f"{own}. No other model can agree with it more often than that", "yellow"
    yield verdict(saved), "bold green" if saved.certificate else "bold red"
    if saved.drift is not None:
        one = saved.drift
        seen = f"in rows {one.first:,} to {one.last:,} it disagrees on {one.disagreed:,} of {one.rows:,} compared rows"
        yield f"it drifts: {seen}, so the promise is for the whole file, not for that part", "bold yellow"
    if saved.certificate is not None:
        yield f"the whole file: {_cost(saved)}", ""
    if not saved.is_noisy:
        yield own, ""
    yield f"this search: {shown_usd(saved.spent_usd)}; its answers are kept, and the job uses those of its model", ""
    for model in saved.too_dear:
        yield f"not tried: {model}; its answers to the sample would cost more than 5 % of the file's bill", "yellow"
    yield "agreement is not accuracy: two models can agree on a wrong answer", "dim"


def print_saved(saved: Saved, console: Console) -> None:
    """Print the plans that were compared, then what is certified."""
    print_compared(saved.compared, console)
    console.print()
    for line, style in lines(saved):
        console.print(Text(line, style=style), soft_wrap=True)


def saved_view(saved: Saved) -> dict[str, Any]:
    """Return the values of the page: that of compared recipes, with the certificate above it."""
    words = [line for line, _ in lines(saved)]
    return page_view(saved.compared) | {"saving": {"lines": words, "is_certified": saved.certificate is not None}}


def document(saved: Saved) -> dict[str, Any]:
    """Return the result as JSON values."""
    certificate = None if saved.certificate is None else saved.certificate._asdict()
    drift = None if saved.drift is None else saved.drift._asdict()
    fields = {name: getattr(saved, name) for name in saved.__dataclass_fields__}
    return fields | {"certificate": certificate, "drift": drift, "verdict": verdict(saved)}


def _cost(saved: Saved) -> str:
    own, cheap = saved.reference_usd, saved.model_usd
    if own is None or cheap is None:
        return "its cost is unknown, because a price is not known"
    less = f", {_less(cheap, own)} less" if own > cheap else ""
    lane = "as Message Batches" if saved.lane == "batch" else "live"
    return f"{shown_usd(cheap)} in place of {shown_usd(own)}{less}, {lane}"


def _less(cheap: Decimal, own: Decimal) -> str:
    return f"{100 * float(1 - cheap / own):.0f} %"
