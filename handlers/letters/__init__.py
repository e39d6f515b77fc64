"""Letters: what became of messages that no retry could handle."""
