"""Limits of the services, each with its source."""

from datetime import timedelta

MAX_BATCH_REQUESTS = 100_000  # Message Batches: at most 100,000 requests
MAX_REQUEST_BYTES = 32_000_000  # Messages: body at most 32 MB

BATCH_LIFETIME = timedelta(hours=24)  # Message Batches: a request that is not done 24 h after creation expires
VISIBILITY_LAG = timedelta(minutes=10)  # ours, generous: a retrieve right after the create can answer 404
LEDGER_KEPT = timedelta(days=35)  # ours: longer than RESULTS_KEPT, so that a late resume still finds its submissions

SECONDS_A_TOKEN = 3_600 / 128_000  # the SDK's own rule for an answer: 128,000 tokens take an hour
LONGEST_LIVE_ANSWER = 840.0  # ours, in seconds: a worker has 900, and keeps the rest to start, to wait and to flush
MAX_LIVE_TOKENS = int(LONGEST_LIVE_ANSWER / SECONDS_A_TOKEN)  # 29,866: longer answers need the batch lane
LIVE_LIFETIME = timedelta(hours=24)  # ours: a live request without an answer ends after it, as in a Message Batch

MAX_DOCUMENT_BYTES = MAX_REQUEST_BYTES // 4 * 3  # base64 has four characters for three bytes
