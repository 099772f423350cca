"""Limits of the services, each with its source."""

from datetime import timedelta

MAX_BATCH_REQUESTS = 100_000  # Message Batches: at most 100,000 requests
MAX_REQUEST_BYTES = 32_000_000  # Messages: body at most 32 MB

BATCH_LIFETIME = timedelta(hours=24)  # Message Batches: a request that is not done 24 h after creation expires
VISIBILITY_LAG = timedelta(minutes=10)  # ours, generous: a retrieve right after the create can answer 404
LEDGER_KEPT = timedelta(days=35)  # ours: longer than RESULTS_KEPT, so that a late resume still finds its submissions

MAX_DOCUMENT_BYTES = MAX_REQUEST_BYTES // 4 * 3  # base64 has four characters for three bytes
