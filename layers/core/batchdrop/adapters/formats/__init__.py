"""File formats: how rows are read from an upload, and how outcomes are joined to them."""
