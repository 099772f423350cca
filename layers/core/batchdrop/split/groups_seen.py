"""Count the groups of a file that is read in its own order, for `batchdrop check`."""

from __future__ import annotations

from batchdrop.job.manifest import Grouping, Manifest
from batchdrop.money.prompt_tokens import text_size, tokeniser
from batchdrop.requests.groups import group_of
from batchdrop.requests.pack_limits import pack_text
from batchdrop.split.group_shards import GroupCount
from batchdrop.split.rows_to_send import RenderedRows

MOST_GROUPS = 500_000  # ours: about 100 MB; rows of later groups count as groups of their own


class GroupsSeen:
    """The groups so far: how many rows each has, and the tokens of its shared text."""

    def __init__(self, manifest: Manifest) -> None:
        assert manifest.recipe is not None, "only a recipe has groups"
        assert manifest.recipe.grouped is not None, "this recipe has none"
        self._by = manifest.recipe.grouped.by
        self._dearer = tokeniser(manifest.recipe.model)
        self._known: dict[bytes, list[float]] = {}
        self._count = GroupCount(manifest)

    def add(self, rendered: RenderedRows) -> None:
        """Count the rows that have a request."""
        for row, params in zip(rendered.rows, rendered.params, strict=True):
            text = None if params is None else pack_text(params)
            if text is None:
                continue
            digest = group_of(row.cells, self._by, text.shared)
            known = self._known.get(digest)
            if known is not None:
                known[0] += 1
                continue
            tokens = text_size(text.shared).tokens * self._dearer
            if len(self._known) < MOST_GROUPS:
                self._known[digest] = [1, tokens]
            else:
                self._count.add_group(1, tokens)

    def counted(self) -> Grouping:
        """Return the groups and the packs that they make. Call it once."""
        for rows, tokens in self._known.values():
            self._count.add_group(int(rows), tokens)
        return self._count.counted
