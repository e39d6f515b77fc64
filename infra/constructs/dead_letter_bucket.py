"""The bucket of dead-letter messages: what no retry could process, with the reason, until somebody redrives it."""

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from constructs import Construct

from handlers.dead_letters.message import OPEN, REDRIVEN
from infra.constructs.private_bucket import AccessLogsBucket, PrivateBucket
from infra.retention import DEAD_LETTERS


class DeadLetterBucket(PrivateBucket):
    """Messages are kept for 30 days, and those that were redriven for 30 more: they hold personal data."""

    def __init__(self, scope: Construct, construct_id: str, access_logs: AccessLogsBucket) -> None:
        super().__init__(
            scope,
            construct_id,
            access_logs=access_logs,
            lifecycle_rules=[
                s3.LifecycleRule(id=name, prefix=prefix, expiration=Duration.days(DEAD_LETTERS.days))
                for name, prefix in (("Open", OPEN), ("Redriven", REDRIVEN))
            ],
        )
