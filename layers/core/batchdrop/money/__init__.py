"""Prices, tokens, estimates and costs."""
