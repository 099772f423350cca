"""`batchdrop forget`: remove rows, files or recipes, and all that was made of them, for good."""
