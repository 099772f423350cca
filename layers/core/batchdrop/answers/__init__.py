"""Read answers, and decide the fate of each row."""
