"""The bucket of the audit copy."""

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.keeping import KEPT


class AuditBucket(s3.Bucket):
    """Nothing is ever removed from it: the doctor compares the whole log. It gets cheaper with time."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(
            scope,
            construct_id,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            removal_policy=KEPT,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="Older",
                    transitions=[
                        _moved(s3.StorageClass.INFREQUENT_ACCESS, days=30),
                        _moved(s3.StorageClass.GLACIER_INSTANT_RETRIEVAL, days=90),
                    ],
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                )
            ],
        )


def _moved(to: s3.StorageClass, *, days: int) -> s3.Transition:
    return s3.Transition(storage_class=to, transition_after=Duration.days(days))
