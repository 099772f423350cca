"""The small documents of a job: how they are read and written."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import yaml

from batchdrop.domain.layout import JobKeys
from batchdrop.domain.manifest import Manifest
from batchdrop.domain.recipe import Recipe, parse_recipe
from batchdrop.domain.upload import parse_inbox_key
from batchdrop.errors import RecipeRejected
from batchdrop.ports import FileFormat, ObjectMissing, ObjectStore

FormatFor = Callable[[str, str, str], FileFormat]  # extension, filename, header text if it is known already


def read_manifest(store: ObjectStore, job_id: str) -> Manifest | None:
    """Return a job's manifest; None if its split has saved nothing yet."""
    try:
        body = store.read(JobKeys(job_id).manifest)
    except ObjectMissing:
        return None
    return msgspec.json.decode(body, type=Manifest)


def write_manifest(store: ObjectStore, manifest: Manifest) -> None:
    """Write a job's manifest."""
    body = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    store.write(JobKeys(manifest.upload.job_id).manifest, body)


def read_recipe(store: ObjectStore, key: str) -> Recipe | None:
    """Return the recipe at `key`; None if there is none. Raises RecipeRejected if it is broken."""
    try:
        body = store.read(key)
    except ObjectMissing:
        return None
    try:
        fields = yaml.safe_load(body)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2026-13-45
        message = f"{key}: it is not YAML: {' '.join(str(error).split())}"
        raise RecipeRejected(message) from error
    return parse_recipe(fields, name=key)


def format_of(manifest: Manifest, format_for: FormatFor) -> FileFormat:
    """Return the format of a job's file, with the header that its split found."""
    key = parse_inbox_key(manifest.upload.key)
    return format_for(key.extension, key.filename, manifest.header)
