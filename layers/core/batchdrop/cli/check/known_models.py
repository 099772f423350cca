"""Find out which models exist: from the service if a key is set, else from the shipped list, and the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from batchdrop.cli.run.service import REAL_BASE_URL, Service, ServiceUnclearError, service_of
from batchdrop.errors import AccountTrouble, ApiUnavailable
from batchdrop.money.prices import PriceTable
from batchdrop.recipe.models import MODELS_FILE, Model, ModelTable, model_table, with_own
from batchdrop.split.job_estimate import models_in


def known_models(
    recipe: Path | None, wanted: set[str], prices: PriceTable | None, environment: Mapping[str, str]
) -> ModelTable:
    """Return the models, with the user's own: those of `models.yaml` beside the recipe, and those with own prices.

    Raises RecipeRejected if `models.yaml` is broken.
    """
    own = {} if recipe is None else own_models(recipe)
    priced = {} if prices is None else {name: Model() for name in prices.models}
    table = _table(wanted, environment)
    return with_own(with_own(table, {name: model for name, model in priced.items() if name not in table.models}), own)


def _table(wanted: set[str], environment: Mapping[str, str]) -> ModelTable:
    try:
        service = service_of(environment)
    except ServiceUnclearError:  # nothing is sent, so a key is not needed
        return model_table()
    if service.base_url is None:
        return model_table()
    try:
        return _of_service(service, wanted)
    except (ApiUnavailable, AccountTrouble):
        is_certain = service.base_url == REAL_BASE_URL or bool(service.region)  # a gateway may have models of its own
        return msgspec.structs.replace(model_table(), is_certain=is_certain)


def _of_service(service: Service, wanted: set[str]) -> ModelTable:
    from batchdrop.adapters.claude.models import AnthropicModels  # its HTTP client is only needed with a key

    models = AnthropicModels(**service.access())
    with closing(models):
        return models.table(wanted)


def own_models(recipe: Path) -> dict[str, Model]:
    """Return the models of `models.yaml` beside a recipe. Raises RecipeRejected."""
    path = models_beside(recipe)
    return {} if path is None else models_in(path.read_bytes(), name=path.name)


def models_beside(recipe: Path) -> Path | None:
    """Return the path of the user's own models: `models.yaml` beside the recipe, as in the bucket."""
    path = recipe.with_name(MODELS_FILE)
    return path if path.is_file() else None
