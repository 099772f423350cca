"""Turn results into the output."""
