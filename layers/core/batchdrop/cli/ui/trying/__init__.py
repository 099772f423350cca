"""The page Try: a recipe in an editor, its price for the whole file, and the answers of a few rows."""
