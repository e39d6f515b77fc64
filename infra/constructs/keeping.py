"""What becomes of a resource that holds data."""

from aws_cdk import RemovalPolicy

KEPT = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
"""It stays when its stack is updated or deleted. Where the creation of the stack fails it goes, out of the way."""
