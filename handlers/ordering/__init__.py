"""Ordering: places or rejects what is submitted, and decides the one outcome of each order."""
