"""From results to the output."""
