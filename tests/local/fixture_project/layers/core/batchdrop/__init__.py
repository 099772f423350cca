"""Stands in for the project's layer."""
