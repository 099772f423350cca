"""`batchdrop check`: what a recipe and a file would do."""
