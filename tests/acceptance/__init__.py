"""Acceptance of a deployed environment: what a run on one machine cannot prove, and an account can, as named checks."""
