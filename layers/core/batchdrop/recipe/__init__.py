"""The recipe: what the user wrote."""
