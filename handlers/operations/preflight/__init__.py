"""Preflight: whether an account's quotas are enough for the pipeline. It needs no deployment."""
