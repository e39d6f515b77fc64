"""What comes in from outside: messages, callers, and validation."""
