"""Builders of what tests need: orders, events, logs, callers, tokens."""
