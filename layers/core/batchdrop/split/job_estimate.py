"""Estimate a job during its split, and compare it with the recipe's cap before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial

import yaml

from batchdrop.answers.tokens import Tokens
from batchdrop.errors import PricesRejected, RecipeRejected, TooExpensive
from batchdrop.job.job_files import shape_of
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.job.upload import parse_inbox_key
from batchdrop.money.cost import PriceTable, shown_usd
from batchdrop.money.estimate import Estimate, Range
from batchdrop.money.estimate_block import EstimateBlock, actual_block, ratio_of
from batchdrop.money.prices import PRICES_KEY, effective, parse_prices
from batchdrop.money.request_count import RequestCount, frame_of
from batchdrop.ports import ObjectMissing, ObjectStore
from batchdrop.recipe.lane import Lane
from batchdrop.recipe.models import MODELS_KEY, Model, parse_models
from batchdrop.recipe.recipe import Recipe
from batchdrop.requests.request import RequestSource


def read_own_prices(store: ObjectStore) -> PriceTable | None:
    """Return the user's own price table; None if there is none. Raises PricesRejected if it is broken."""
    try:
        return prices_in(store.read(PRICES_KEY), name=PRICES_KEY)
    except ObjectMissing:
        return None


def read_own_models(store: ObjectStore) -> dict[str, Model]:
    """Return the user's own models; none if there is no list. Raises RecipeRejected if it is broken."""
    try:
        return models_in(store.read(MODELS_KEY), name=MODELS_KEY)
    except ObjectMissing:
        return {}


def models_in(body: bytes, *, name: str) -> dict[str, Model]:
    """Return the models in a file's content. Messages call the file `name`. Raises RecipeRejected."""
    try:
        return parse_models(yaml.safe_load(body), name=name)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message = f"{name}: it is not YAML: {' '.join(str(error).split())}"
        raise RecipeRejected(message) from error


def prices_in(body: bytes, *, name: str) -> PriceTable:
    """Return the price table in a file's content. Messages call the file `name`. Raises PricesRejected."""
    try:
        return parse_prices(yaml.safe_load(body), name=name)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message = f"{name}: it is not YAML: {' '.join(str(error).split())}"
        raise PricesRejected(message) from error


def counting(manifest: Manifest, source: RequestSource) -> Callable[[], RequestCount]:
    """Return a maker of counts, one for each shard; the part that all requests share is measured once."""
    if manifest.recipe is None or source.empty is None:
        shape = shape_of(manifest) if manifest.recipe else None
        return partial(RequestCount, None, manifest.recipe, shape)
    return partial(RequestCount, frame_of(manifest.recipe, shape_of(manifest), source.empty), manifest.recipe)


def keep_estimate(manifest: Manifest, item: ShardItem, estimate: Estimate) -> None:
    """Add a completely split shard to the manifest, with its estimate."""
    manifest.shards.append(item)
    if manifest.estimate is None:
        manifest.estimate = estimate
    else:
        manifest.estimate.merge(estimate)


def estimated_usd(estimate: Estimate, recipe: Recipe | None, lane: Lane, prices: PriceTable) -> Range | None:
    """Return the cost of a job that starts in this lane; a job with a deadline may end in the live lane."""
    may_go_live = recipe is not None and (recipe.finish_within is not None or recipe.on_leftovers == "live")
    return estimate.usd(lane, prices, high_lane="live" if may_go_live else lane)


def estimate_block(manifest: Manifest, tokens: list[Tokens], usd: Decimal | None) -> EstimateBlock | None:
    """Return a split job's estimate beside its actual usage and cost; None if it has no estimate."""
    estimate = manifest.estimate
    if estimate is None:
        return None
    expected = estimated_usd(estimate, manifest.recipe, manifest.lane, effective(manifest.prices))
    actual = actual_block(tokens, usd)
    return EstimateBlock(
        lane=manifest.lane,
        requests=estimate.requests,
        input_tokens=estimate.input_tokens,
        output_tokens=estimate.output_tokens,
        usd=expected,
        band=estimate.band,
        actual=actual,
        ratio=ratio_of(usd, expected.expected if expected else None),
        input_ratio=ratio_of(actual.input_tokens, estimate.input_tokens),
        web_searches=estimate.web_searches,
    )


def refuse_too_expensive(manifest: Manifest) -> None:
    """Raise TooExpensive if the job certainly costs more than its recipe's `max_cost_usd`."""
    recipe, estimate = manifest.recipe, manifest.estimate
    if recipe is None or recipe.cap is None or estimate is None:
        return
    usd = estimated_usd(estimate, recipe, manifest.lane, effective(manifest.prices))
    if usd is not None and usd.low > recipe.cap:  # the split already refused models without a price
        raise TooExpensive(_too_expensive(manifest, estimate.requests, usd, recipe.cap))


def _too_expensive(manifest: Manifest, requests: int, usd: Range, cap: Decimal) -> str:
    key = parse_inbox_key(manifest.upload.key)
    cheaper = ", or take the batch lane at half the price" if manifest.lane == "live" else ""
    return (
        f"{key.filename}: its {requests:,} requests would cost at least {shown_usd(usd.low)} (expected "
        f"{shown_usd(usd.expected)}, at most {shown_usd(usd.high)}) in the {manifest.lane} lane, and {key.recipe_key} "
        f"says max_cost_usd: {cap.normalize():f}. Nothing was sent. Raise max_cost_usd, drop fewer rows, shorten the "
        f"prompt{cheaper}; then drop the file again"
    )
