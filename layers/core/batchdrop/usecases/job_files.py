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
    """Return a job's manifest, or how far its split has come; None if the split has saved nothing yet."""
    keys = JobKeys(job_id)
    for key in (keys.manifest, keys.split):
        try:
            return msgspec.json.decode(store.read(key), type=Manifest)
        except ObjectMissing:
            continue
    return None


def write_manifest(store: ObjectStore, manifest: Manifest) -> None:
    """Write a job's manifest.

    A split that goes on has a key of its own: an attempt that was given up for dead, and is not, cannot put its old
    place over the finished manifest.
    """
    keys = JobKeys(manifest.upload.job_id)
    body = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    store.write(keys.manifest if manifest.cursor is None else keys.split, body)


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
