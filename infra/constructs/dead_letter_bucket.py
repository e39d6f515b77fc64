"""The bucket of dead-letter messages: what no retry could process, with the reason, until somebody redrives it."""

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from constructs import Construct

from handlers.dead_letters.message import OPEN, REDRIVEN


class DeadLetterBucket(s3.Bucket):
    """Open messages are kept for a year, redriven ones for 90 days. They hold customer data: nothing here is public."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(
            scope,
            construct_id,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            lifecycle_rules=[
                s3.LifecycleRule(id="Open", prefix=OPEN, expiration=Duration.days(365)),
                s3.LifecycleRule(id="Redriven", prefix=REDRIVEN, expiration=Duration.days(90)),
            ],
        )
