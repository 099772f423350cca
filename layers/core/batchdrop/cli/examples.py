"""An example of each command, for its `--help`."""

from __future__ import annotations

_EXAMPLES = {
    "approve": "batchdrop approve 83d",
    "cancel": "batchdrop cancel 83d",
    "check": "batchdrop check sentiment.yaml reviews.csv",
    "compare": "batchdrop compare best.yaml cheap.yaml reviews.csv --rows 200",
    "demo": "batchdrop demo --open",
    "doctor": "batchdrop doctor --smoke",
    "drop": "batchdrop drop sentiment.yaml reviews.csv --wait",
    "fetch": "batchdrop fetch 83d --out answers",
    "forget": "batchdrop forget --recipe sentiment --subject c-1734 --yes",
    "init": "batchdrop init reviews.csv --recipe sentiment.yaml",
    "ls": "batchdrop ls --status failed",
    "retry": "batchdrop retry 83d --status invalid,max_tokens --recipe fixed.yaml",
    "resume": "batchdrop resume 83d",
    "run": "batchdrop run sentiment.yaml reviews.csv --open",
    "save": "batchdrop save best.yaml reviews.csv",
    "show": "batchdrop show 83d --row 17",
    "try": "batchdrop try sentiment.yaml reviews.csv -n 20 --random",
    "ui": "batchdrop ui reviews.csv --recipe sentiment.yaml",
    "up": "batchdrop up --port 4566",
    "watch": "batchdrop watch",
}


def example_of(command: str) -> str:
    """Return the line that ends a command's help."""
    return f"Example: {_EXAMPLES[command]}"
