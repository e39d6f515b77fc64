"""The vault: personal data, in a table of its own, so that it can be forgotten. No event, view or log holds any."""
