"""The pages of the console, in the header's order."""

from __future__ import annotations

from batchdrop.cli.ui.page import Page

PAGES: tuple[Page, ...] = ()
