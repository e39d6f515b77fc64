"""How long personal data is kept outside of the vault, for those who deploy it and those who say when it is gone.

Nothing here imports CDK. docs/retention.md has the periods of all stores.
"""

from datetime import timedelta

DROPPED_FILES = timedelta(days=21)
"""From when a file was dropped; then S3 hides it."""

REPLACED_FILES = timedelta(days=7)
"""From when a version of a file was hidden, replaced or deleted; then S3 deletes it."""

FILES = DROPPED_FILES + REPLACED_FILES + timedelta(days=2)
"""Until nothing is left of a file. S3 counts from the next midnight (UTC), each time."""

DEAD_LETTERS = timedelta(days=30)
"""From when a message was stored, or marked as redriven."""

QUEUES = timedelta(days=14)
"""As long as SQS keeps a message at most."""

BACKUPS = timedelta(days=35)
"""As far back as a table can be restored: as DynamoDB allows at most."""

API_ERRORS = timedelta(days=7)
"""What the gateway logs of requests that failed, at most: it may quote what of a body does not fit."""

ERASURE_LEDGER = timedelta(days=3653)
"""Ten years: longer than any backup, and as long as somebody may ask what became of a request."""
