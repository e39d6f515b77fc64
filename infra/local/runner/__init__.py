"""A run of orders through the pipeline on this machine: publish, follow, audit, show."""
