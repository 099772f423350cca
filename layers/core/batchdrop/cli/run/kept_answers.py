"""Where the runs of a recipe with `remember` keep their answers: one file for all runs below a folder of outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from batchdrop.answer_store.ports import AnswerStore
from batchdrop.cli.run.service import REAL_BASE_URL, Service, ServiceUnclearError, service_of
from batchdrop.job.remembering import AnswersOf


def answers_file(out: Path, service: Service) -> Path:
    """Return the file. Each service has its own, because the emulator's answers are not real ones."""
    return out / f"answers-{_name(service)}.sqlite"


def answers_kept(out: Path, environment: Mapping[str, str], stack: str | None) -> AnswersOf | None:
    """Return what opens the answers that a file's next job may remember: a stack's, else those of runs below `out`.

    None if there are none. Raises NotDeployedError at the first use.
    """
    if stack is not None:
        return partial(_answers_of, stack)
    try:
        file = answers_file(out, service_of(environment))
    except ServiceUnclearError:
        return None
    return partial(_answers_in, file) if file.exists() else None


def _answers_of(stack: str) -> AnswerStore:
    from batchdrop.answer_store.bucket_store import BucketAnswerStore
    from batchdrop.cli.deployment import find_deployment  # it imports boto3

    return BucketAnswerStore(find_deployment(stack, region=None, endpoint_url=None).bucket)


def _answers_in(file: Path) -> AnswerStore:
    from batchdrop.adapters.sqlite.answers import SqliteAnswerStore

    return SqliteAnswerStore(file)


def _name(service: Service) -> str:
    if service.base_url is None:
        return "emulator"
    if service.base_url == REAL_BASE_URL:
        return "claude"
    return hashlib.blake2b(service.base_url.encode(), digest_size=4).hexdigest()
