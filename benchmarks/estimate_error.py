"""The error of a job's estimate, compared with its bill, for many kinds of table.

    python -m benchmarks.estimate_error

Each table is estimated like in `split_upload`, then answered by the emulator as one Message Batch, whose bill is the
reference. The program prints a Markdown table and writes benchmarks/results/estimate_error.json. It exits with 1 if a
table's input is off by more than INPUT_BAND, or its dollars are outside the bounds.

The emulator counts tokens by the same rule as the estimate. So this checks everything except the tokeniser: templates,
schemas, escapes, scripts, files, caches and prices. `batchdrop check --exact` checks the tokeniser.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import urllib.request
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from batchdrop.answers.shape import answer_shape
from batchdrop.local.claude_api.testing import RunningEmulator, running_emulator
from batchdrop.money.estimate import INPUT_BAND, Estimate
from batchdrop.money.request_count import RequestCount, frame_of
from batchdrop.recipe.recipe import parse_recipe
from batchdrop.requests.request import RecipeRequests, request_line
from batchdrop.requests.sharding import BODY_HEAD, BODY_SEPARATOR, BODY_TAIL
from benchmarks.estimate_tables import TABLES, Table
from benchmarks.findings import add_scale

RESULTS = Path("benchmarks/results/estimate_error.json")
HEADERS = {"x-api-key": "sk-bench", "anthropic-version": "2026-10-21", "content-type": "application/json"}


def reckoned(table: Table) -> tuple[Estimate, bytes]:
    """Return a table's estimate, and its create body."""
    recipe = parse_recipe(table.recipe, name=table.name)
    shape = answer_shape(recipe, name=table.name)
    source = RecipeRequests(recipe, shape, name=table.name)
    count = RequestCount(frame_of(recipe, shape, source.empty or b""), recipe)
    lines = []
    for number, row in enumerate(table.rows(random.Random(7))):
        params, own = source.request(row)
        count.add((params,), (own,))
        lines.append(request_line(f"row-{number}", params))
    return count.estimate, BODY_HEAD + BODY_SEPARATOR.join(lines) + BODY_TAIL


def billed(emulator: RunningEmulator, body: bytes) -> dict[str, Any]:
    """Run a Message Batch to its end; return the bill's totals."""
    emulator.reset()
    request = urllib.request.Request(f"{emulator.base_url}/v1/messages/batches", body, HEADERS)
    with urllib.request.urlopen(request, timeout=300) as response:
        response.read()
    emulator.advance(24 * 3600)
    return emulator.bill_summary()


def measured(table: Table, emulator: RunningEmulator) -> dict[str, Any]:
    """Estimate a table, run it, and compare the two."""
    estimate, body = reckoned(table)
    bill, usd = billed(emulator, body), estimate.usd("batch")
    assert usd is not None
    assert bill["requests"] == estimate.requests, f"{table.name}: {bill['requests']} of {estimate.requests} answered"
    tokens = bill["tokens"]
    prompts = tokens["input_tokens"] + tokens["cache_creation_input_tokens"] + tokens["cache_read_input_tokens"]
    spent = Decimal(bill["usd"])
    return {
        "table": table.name,
        "requests": estimate.requests,
        "input_estimated": estimate.input_tokens,
        "input_actual": prompts,
        "input_error": round(estimate.input_tokens / prompts - 1, 4),
        "output_expected": estimate.output_tokens.expected,
        "output_actual": tokens["output_tokens"],
        "usd_low": float(usd.low),
        "usd_expected": float(usd.expected),
        "usd_high": float(usd.high),
        "usd_actual": float(spent),
        "within": usd.low <= spent <= usd.high and abs(estimate.input_tokens - prompts) <= INPUT_BAND * prompts,
    }


def shown(found: dict[str, Any]) -> str:
    """Return a table's result as a line of Markdown."""
    dollars = " / ".join(f"{found[f'usd_{bound}']:.4f}" for bound in ("low", "expected", "high"))
    return (
        f"| {found['table']} | {found['requests']:,} | {found['input_estimated']:,} | {found['input_actual']:,} | "
        f"{found['input_error']:+.1%} | {found['output_expected']:,} / {found['output_actual']:,} | {dollars} | "
        f"{found['usd_actual']:.4f} | {'yes' if found['within'] else 'NO'} |"
    )


def main() -> None:
    """Measure every table; with `--smoke` only the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_scale(parser)
    is_smoke = parser.parse_args().scale == "smoke"
    print("| table | requests | input tokens, estimated | actual | error | output, expected / actual | ", end="")
    print("$ low / expected / high | $ actual | within |\n|" + "---|" * 9)
    found = []
    with running_emulator(batch_seconds=60) as emulator:
        for table in TABLES[: 1 if is_smoke else None]:
            found.append(measured(table, emulator))
            print(shown(found[-1]), flush=True)
    if is_smoke:
        return
    worst = max(abs(one["input_error"]) for one in found)
    print(f"\nworst input error {worst:.1%}, the stated band ± {INPUT_BAND:.0%}")
    document = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "band": INPUT_BAND,
        "worst_input_error": worst,
        "tables": found,
    }
    RESULTS.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if not all(one["within"] for one in found):
        sys.exit(1)


if __name__ == "__main__":
    main()
