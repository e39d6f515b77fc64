"""Projections: read models folded from events. What they hold depends on the log alone."""
