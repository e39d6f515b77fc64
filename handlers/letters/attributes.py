"""The attributes of messages that are, or were, dead letters. Names only, for whoever reads or writes them."""

ERROR, REASONS, TRIES = "error", "reasons", "tries"
"""Why a message is a dead letter."""

MESSAGE_ID, LETTER = "message_id", "letter"
"""By which it is known again once it is redriven: the id it had first, and the key of its letter."""

OURS = {ERROR, REASONS, TRIES, MESSAGE_ID, LETTER}
"""All of them."""
