"""End to end: the pipeline as it is deployed, by the commands that people use."""
