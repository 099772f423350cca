"""A job: its upload, its files, its state."""
