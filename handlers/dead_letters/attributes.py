"""What a dead-letter message carries: the names of its attributes, and how often it was delivered before."""

ERROR, REASONS, TRIES = "error", "reasons", "tries"
"""Why a message is a dead letter."""

MESSAGE_ID, LETTER = "message_id", "letter"
"""By which it is known again once it is redriven: the id it had first, and the key of its letter."""

OURS = {ERROR, REASONS, TRIES, MESSAGE_ID, LETTER}
"""All of them."""

MAX_RECEIVE_COUNT = 5
"""How often a queue delivers a message before it becomes a dead-letter message."""
