"""What becomes of messages that no retry could handle: sent, received, stored, and later redriven."""
