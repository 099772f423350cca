"""Read and write a job's small documents."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

import msgspec

from batchdrop.answers.shape import TEXT_ANSWER, AnswerShape, answer_shape, schema_file
from batchdrop.errors import RecipeRejected
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, file_key
from batchdrop.job.ports import Formats, InputFormat, OutputFormat
from batchdrop.job.upload import parse_inbox_key
from batchdrop.ports import ObjectMissing, ObjectStore
from batchdrop.recipe.recipe import Input, Output, Recipe
from batchdrop.recipe.recipe_file import parse_recipe_file


def read_manifest(store: ObjectStore, job_id: str) -> Manifest | None:
    """Return a job's manifest, even if its split is unfinished; None if the split has saved nothing yet."""
    keys = JobKeys(job_id)
    for key in (keys.manifest, keys.split):
        try:
            return msgspec.json.decode(store.read(key), type=Manifest)
        except ObjectMissing:
            continue
    return None


def write_manifest(store: ObjectStore, manifest: Manifest) -> None:
    """Write a job's manifest.

    An unfinished split has a key of its own, so that a superseded attempt cannot overwrite the finished manifest.
    """
    keys = JobKeys(manifest.upload.job_id)
    body = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    store.write(keys.manifest if manifest.cursor is None else keys.split, body)


def answered_rounds(store: ObjectStore, job_id: str, shard: int) -> int:
    """Return the number of a shard's rounds whose answers are in the bucket."""
    return next(number for number in count() if not store.exists(JobKeys(job_id).answers(shard, number)))


def read_schema(store: ObjectStore, recipe: Recipe, *, recipe_key: str) -> Any:
    """Return the parsed schema file that the recipe's `answer` names; None if it names none.

    The file is in the recipe's folder. Raises RecipeRejected if it is missing or not JSON.
    """
    file = schema_file(recipe)
    if file is None:
        return None
    if file.startswith("/") or ".." in file.split("/"):
        message = (
            f"{recipe_key}: key 'answer.schema': '{file}' is outside the recipe's folder; put it beside the recipe"
        )
        raise RecipeRejected(message)
    key = f"{recipe_key.rpartition('/')[0]}/{file}"
    try:
        return msgspec.json.decode(store.read(key))
    except ObjectMissing as error:
        message = f"{recipe_key}: key 'answer.schema': {key} does not exist; upload it, then drop the file again"
        raise RecipeRejected(message) from error
    except (msgspec.DecodeError, RecursionError) as error:
        message = f"{key}: it is not JSON: {error}"
        raise RecipeRejected(message) from error


def read_recipe(store: ObjectStore, key: str) -> Recipe | None:
    """Return the recipe at `key`; None if there is none. Raises RecipeRejected if it is broken."""
    try:
        body = store.read(key)
    except ObjectMissing:
        return None
    return parse_recipe_file(body, name=key)


@dataclass(frozen=True, slots=True)
class JobFormats:
    """The formats of a job's upload, its answers, its output, its `failed.jsonl` and its `perhaps-paid.jsonl`."""

    reader: InputFormat
    output: OutputFormat
    failed: OutputFormat
    perhaps_paid: OutputFormat
    shape: AnswerShape


def reader_of(manifest: Manifest, formats: Formats) -> InputFormat:
    """Return the reader of a job's upload, with the header that its split found."""
    recipe = manifest.recipe
    options = recipe.input if recipe else Input()
    wanted = _columns_used(recipe) if recipe and not manifest.header else frozenset[str]()
    new = shape_of(manifest).columns
    return formats.reader(file_key(manifest.upload), options, new, manifest.header, wanted)


def _columns_used(recipe: Recipe) -> frozenset[str]:
    from batchdrop.requests.conversation import columns_used  # only the split compiles templates

    return columns_used(recipe)


def formats_of(manifest: Manifest, formats: Formats) -> JobFormats:
    """Return a job's formats. Raises UploadRejected if the output is not possible."""
    reader, shape = reader_of(manifest, formats), shape_of(manifest)
    options = manifest.recipe.output if manifest.recipe else Output()
    key = file_key(manifest.upload)
    output = formats.writer(reader, key, options, shape.columns, manifest.columns)
    failed, perhaps_paid = formats.failed(reader, shape.columns), formats.perhaps_paid(reader, shape.columns)
    return JobFormats(reader, output, failed, perhaps_paid, shape)


def shape_of(manifest: Manifest) -> AnswerShape:
    """Return the shape of a job's answers. Raises RecipeRejected if the recipe's `answer` is not valid."""
    if manifest.recipe is None:
        return TEXT_ANSWER
    name = parse_inbox_key(manifest.upload.key).recipe_key
    return answer_shape(manifest.recipe, manifest.schema, name=name)
