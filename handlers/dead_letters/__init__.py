"""What becomes of messages that no retry could handle: sent, stored, received again, redriven."""
