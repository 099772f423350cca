"""Dropped files that are rows themselves, and zips."""
