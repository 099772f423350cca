"""File formats: read rows from an upload, and join outcomes to them."""
