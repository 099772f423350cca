"""Read the list of models from the API, which is free. Over httpx2 alone: the SDK would take seconds to import."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import quote

import httpx2
import msgspec

from batchdrop.adapters.claude.errors import API_VERSION, USER_AGENT, bearer, workspace_header
from batchdrop.adapters.claude.json_body import UNCOMPRESSED, json_of
from batchdrop.adapters.claude.signing import RequestSigner, SignedRequests
from batchdrop.errors import ApiUnavailable
from batchdrop.recipe.models import Lifecycle, Model, ModelTable

PATH = "/v1/models"
SECONDS = 10.0  # a check must not wait long for a list that it can do without
MOST_PAGES = 20  # ours: a list without an end is none


class _Info(msgspec.Struct):
    id: str
    lifecycle: Lifecycle = "active"
    max_tokens: int | None = None
    retires_at: str | None = None


class _Page(msgspec.Struct):
    data: list[_Info]
    has_more: bool = False
    last_id: str | None = None


class AnthropicModels:
    """The models of the service at `base_url`."""

    def __init__(
        self,
        *,
        api_key: str = "",
        base_url: str,
        transport: httpx2.BaseTransport | None = None,
        workspace: str = "",
        signer: RequestSigner | None = None,
    ) -> None:
        self._base_url = base_url
        self._client = httpx2.Client(
            base_url=base_url.rstrip("/"),
            headers={
                **bearer(api_key, signer),
                "anthropic-version": API_VERSION,
                "User-Agent": USER_AGENT,
                **UNCOMPRESSED,
                **workspace_header(workspace),
            },
            auth=None if signer is None else SignedRequests(signer),
            timeout=SECONDS,
            transport=transport,
        )

    def table(self, wanted: set[str]) -> ModelTable:
        """Return the list, with those of `wanted` that are other names of a model. Raises ApiUnavailable."""
        try:
            models = {info.id: _model(info) for info in self._listed()}
            for name in sorted(wanted - models.keys()):
                if (info := self._named(name)) is not None:
                    models[name] = _model(info)
        except (httpx2.HTTPError, httpx2.InvalidURL, msgspec.DecodeError, UnicodeDecodeError) as error:
            message = f"the list of models could not be read: {error}"
            raise ApiUnavailable(message) from error
        return ModelTable(datetime.now(UTC).date().isoformat(), self._base_url, models)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _listed(self) -> Iterator[_Info]:
        after = ""
        for _ in range(MOST_PAGES):
            page = msgspec.json.decode(self._get(f"{PATH}?limit=1000{after}"), type=_Page)
            yield from page.data
            if not page.has_more or not page.last_id:
                return
            after = f"&after_id={page.last_id}"

    def _named(self, name: str) -> _Info | None:
        try:
            return msgspec.json.decode(self._get(f"{PATH}/{quote(name, safe='')}"), type=_Info)
        except httpx2.HTTPStatusError as error:
            if error.response.status_code == HTTPStatus.NOT_FOUND:
                return None
            raise

    def _get(self, path: str) -> bytes:
        return json_of(self._client.get(path).raise_for_status().content)


def _model(info: _Info) -> Model:
    return Model(info.lifecycle, info.max_tokens, None if info.retires_at is None else info.retires_at[:10])
