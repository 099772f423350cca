"""Requests: what is sent to the API, one request per row."""
