"""Dropped files that are rows themselves, and ZIP archives of them."""
