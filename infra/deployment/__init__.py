"""Deploying an environment to AWS: what is checked before, and the CDK command line that does it."""
