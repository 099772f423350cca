"""The small documents of a job: how they are read and written."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import yaml

from batchdrop.domain.answer import NewColumns
from batchdrop.domain.layout import JobKeys
from batchdrop.domain.manifest import Manifest
from batchdrop.domain.recipe import Input, Output, Recipe, parse_recipe
from batchdrop.domain.upload import parse_inbox_key
from batchdrop.errors import RecipeRejected
from batchdrop.ports import Formats, InputFormat, ObjectMissing, ObjectStore, OutputFormat


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


@dataclass(frozen=True, slots=True)
class JobFormats:
    """How a job's file is read, and how its output and its `failed.jsonl` are written."""

    reader: InputFormat
    output: OutputFormat
    failed: OutputFormat


def reader_of(manifest: Manifest, formats: Formats) -> InputFormat:
    """Return what reads a job's file, with the header that its split found."""
    options = manifest.recipe.input if manifest.recipe else Input()
    return formats.reader(parse_inbox_key(manifest.upload.key), options, new_columns(manifest), manifest.header)


def formats_of(manifest: Manifest, formats: Formats) -> JobFormats:
    """Return a job's formats. Raises UploadRejected for an output that cannot be."""
    reader, new = reader_of(manifest, formats), new_columns(manifest)
    options = manifest.recipe.output if manifest.recipe else Output()
    key = parse_inbox_key(manifest.upload.key)
    output = formats.writer(reader, key, options, new, manifest.columns)
    return JobFormats(reader, output, formats.failed(reader, new))


def new_columns(manifest: Manifest) -> NewColumns:
    """Return the columns that a job's output has beside the input's own."""
    return NewColumns()
