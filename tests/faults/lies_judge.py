"""Judges a job whose API keeps answers from it until the end: what arrived is delivered, the rest is uncertain."""

from __future__ import annotations

from tests.faults.books import StateBooks
from tests.faults.judge import GREEN, Asked, Ending, Judge
from tests.faults.schedule import Schedule

HIDDEN = ("page_before_accept", "error_before_accept")  # no result at all arrives
MAY_BE_PAID = "uncertain"


class LiesJudge(Judge):
    """Judges one run under lasting lies. It knows from the schedule which results can never have arrived."""

    def __init__(self, schedule: Schedule, job_id: str, books: StateBooks) -> None:
        super().__init__(schedule, job_id, books)
        self._downloads = books.downloads

    def _check_paid_is_given(self, ending: Ending, all_asked: dict[str, Asked]) -> None:
        summary = self._summary(ending)
        if summary is None or not summary["outputs"]["output"]:
            if any(asked.texts for asked in all_asked.values()):
                self.verdict.say("requests were billed, but there is no output in the end")
            return
        rows = self._output_rows(ending) or []
        arrived, lied = self._arrived(), self._lied_about(ending)
        missing = 0
        for custom_id, asked in all_asked.items() if rows else ():
            row = rows[self.row_of(custom_id)]
            is_given = row["_status"] not in {"failed", "canceled", "uncertain", "unreadable", "rejected", "not_sent"}
            if is_given and not (asked.texts and self._is_its_own(row, asked.texts)):
                self.verdict.say(f"{custom_id} has an answer that is not its own: {row['answer']!r}")
            if not asked.texts or is_given or custom_id in lied:
                continue
            missing += 1
            if custom_id in arrived:
                self.verdict.lost += 1
                self.verdict.say(f"{custom_id} was billed and arrived, but the output says {row['_status']}")
            elif row["_status"] != MAY_BE_PAID:
                self.verdict.say(f"{custom_id} was billed and never arrived, but the output says {row['_status']}")
        if missing and (ending.status == "SUCCEEDED" or summary["status"] == GREEN):
            self.verdict.say(f"green, although {missing} paid answers are missing")
        is_any_paid = any(asked.texts for asked in all_asked.values())  # a job without one answer is red
        if is_any_paid and not missing and not self._may_be_red() and ending.status != "SUCCEEDED":
            self.verdict.say("red, although every paid answer arrived")

    def _may_be_red(self) -> bool:
        """Tell whether the job may be red although it lacks no paid answer: results are kept back, or a bill is due."""
        is_in_trouble = any("billing_error" in kind for kind in self._schedule.rows)
        return is_in_trouble or any(lie["kind"] != "odd_counts" for lie in self._schedule.lasting)

    def _arrived(self) -> set[str]:
        """Return the requests whose answers are in a part of the results that is not kept back."""
        kinds = {lie["kind"]: lie for lie in self._schedule.lasting}
        if kinds.keys() & set(HIDDEN):
            return set()
        cut = kinds["results_short"].get("lines", 1) if "results_short" in kinds else 0
        shown = (results[: max(0, len(results) - cut)] for results in self._downloads())
        return {result.custom_id for results in shown for result in results if result.type == "succeeded"}
