"""The bucket of the audit copy."""

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.private_bucket import AccessLogsBucket, PrivateBucket


class AuditBucket(PrivateBucket):
    """Nothing is ever removed from it: the doctor compares the whole log. It gets cheaper with time.

    With versions: what somebody deletes or replaces is still there, and no role may delete a version. Not with Object
    Lock: AWS does not document that Firehose writes to a bucket with a default retention.
    """

    def __init__(self, scope: Construct, construct_id: str, access_logs: AccessLogsBucket) -> None:
        super().__init__(
            scope,
            construct_id,
            access_logs=access_logs,
            versioned=True,
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
