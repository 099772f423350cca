"""Adapters for the Claude API."""
