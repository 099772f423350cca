"""`batchdrop check`: the effect of a recipe and a file."""
