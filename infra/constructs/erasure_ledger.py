"""The ledger of erasures: whom a table that is restored from a backup must not have back."""

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.private_bucket import AccessLogsBucket, PrivateBucket
from infra.retention import ERASURE_LEDGER


class ErasureLedger(PrivateBucket):
    """Kept for ten years, with versions, and on deletion of the stack. It holds ids, and nothing else of a person."""

    def __init__(self, scope: Construct, construct_id: str, access_logs: AccessLogsBucket) -> None:
        super().__init__(
            scope,
            construct_id,
            access_logs=access_logs,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="Old",
                    expiration=Duration.days(ERASURE_LEDGER.days),
                    noncurrent_version_expiration=Duration.days(ERASURE_LEDGER.days),
                )
            ],
        )
