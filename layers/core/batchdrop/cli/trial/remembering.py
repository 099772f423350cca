"""Tries of a recipe with `remember`: they use the answers of runs, and give them theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from batchdrop.answer_store.answer import Answer
from batchdrop.answer_store.forgotten import subject_id
from batchdrop.answer_store.key import Keys
from batchdrop.answers.odd_records import read_line
from batchdrop.answers.outcome import of_result
from batchdrop.cli.trial.rows import Trial
from batchdrop.job.remembering import AnswersOf, policy_of, recipe_digest, remembers, store_of, subject_of
from batchdrop.split.remembered_rows import looked_up


class _Result(msgspec.Struct):
    message: msgspec.Raw


class _Line(msgspec.Struct):
    result: _Result


def recalled(trial: Trial, requests: Mapping[int, bytes], answers: AnswersOf) -> dict[int, bytes]:
    """Return the result lines of the requests that the store knows."""
    with looked_up(trial.manifest, answers) as known:
        return {} if known is None else known.lines(requests)


def publish(trial: Trial, requests: Mapping[int, bytes], lines: Mapping[int, bytes], answers: AnswersOf) -> None:
    """Give the answers of these requests to the store, as far as they can be used.

    A try sends to the recipe's own model only. So a recipe with `escalate` gets none: the answer that counts may be the
    other model's.
    """
    recipe = trial.recipe
    if not remembers(trial.manifest) or recipe.escalate is not None:
        return
    store, name = answers(), store_of(trial.manifest)
    secret = store.secret(name)
    keys = Keys(secret, policy_of(trial.manifest))
    run = f"try-{trial.manifest.upload.uploaded_at:%Y%m%dT%H%M%S%f}"
    store.write_run(name, run, _answers(trial, requests, lines, keys, _subjects(trial, secret)))
    store.publish(name, [run])


def _subjects(trial: Trial, secret: bytes) -> dict[int, str]:
    """Return the ids of the rows' subjects, by the rows' numbers."""
    column = trial.recipe.subject
    return (
        {} if column is None else {row.number: subject_id(secret, subject_of(row.cells, column)) for row in trial.rows}
    )


def _answers(
    trial: Trial,
    requests: Mapping[int, bytes],
    lines: Mapping[int, bytes],
    keys: Keys,
    subjects: Mapping[int, str],
) -> Iterator[Answer]:
    at, digest = int(trial.manifest.upload.uploaded_at.timestamp()), recipe_digest(trial.manifest)
    for number, params in requests.items():
        line = lines.get(number)
        if line is not None and of_result(read_line(line).result, trial.shape).status == "answered":
            message = msgspec.json.decode(line, type=_Line).result.message
            yield Answer(keys.of(params).hex(), at, digest, message, subject=subjects.get(number, ""))
