"""What the user wrote: the recipe."""
