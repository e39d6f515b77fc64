"""How often a queue delivers a message. Apart, so that the queues' infrastructure needs no other handler."""

TRIES = 5
"""A message that fails so often is a dead letter."""
