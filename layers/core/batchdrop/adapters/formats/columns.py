"""The columns that batchdrop adds, in every format."""

from batchdrop.domain.outcome import Outcome

ANSWER = "answer"
STATUS = "_status"
ERROR = "_error"
RAW = "_raw"  # in failed.jsonl only: the text of a row that could not be taken apart

ADDED = (ANSWER, STATUS, ERROR)


def added_values(outcome: Outcome) -> tuple[str, str, str]:
    """Return one row's values for ADDED."""
    return outcome.answer, outcome.status, outcome.error
