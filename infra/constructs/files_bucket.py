"""The bucket that partners drop files of orders into."""

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.template import resource_of

INCOMING = "incoming/"


class FilesBucket(s3.Bucket):
    """Files come in below ``incoming/`` and end below ``done/``; reports lie below ``reports/``. It tells EventBridge.

    With versions, so that a file that takes another's name while that is imported does not take its content too.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(
            scope,
            construct_id,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(id="Done", prefix="done/", expiration=Duration.days(90)),
                s3.LifecycleRule(id="Reports", prefix="reports/", expiration=Duration.days(365)),
                s3.LifecycleRule(
                    id="Left",
                    noncurrent_version_expiration=Duration.days(30),
                    expired_object_delete_marker=True,
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                ),
            ],
        )
        # The construct's own switch deploys a function to throw it; the resource knows the property.
        resource_of(self).add_property_override(
            "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True
        )
