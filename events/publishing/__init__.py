"""Publishing integration events."""
