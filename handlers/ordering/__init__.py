"""Ordering: takes orders in, and decides their one outcome."""
