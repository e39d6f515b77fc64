"""The attributes that a dead-letter message carries, and how often a message is delivered before it becomes one."""

ERROR, REASONS, ATTEMPTS = "error", "reasons", "attempts"
"""Why a message is a dead-letter message."""

MESSAGE_ID, REDRIVEN_FROM = "message_id", "redriven_from"
"""By which a redriven message is recognized: the id it had first, and the key under which it was stored."""

REDRIVEN_BY = "redriven_by"
"""The ARN of the operator who redrove it."""

OURS = {ERROR, REASONS, ATTEMPTS, MESSAGE_ID, REDRIVEN_FROM, REDRIVEN_BY}
"""All of them."""

MAX_RECEIVE_COUNT = 5
"""How often a queue delivers a message before it becomes a dead-letter message."""
