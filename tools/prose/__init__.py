"""Check that our prose is plain: pages, and the docstrings, comments and messages of the sources."""
