"""The bucket that partners drop files of orders into."""

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from constructs import Construct

from handlers.files.dropped_file import DONE, REPORTS
from infra.constructs.template import resource_of


class FilesBucket(s3.Bucket):
    """Files arrive under ``incoming/`` and end under ``done/``, reports under ``reports/``. It notifies EventBridge.

    With versions: a file that is uploaded under the same name while another is imported does not replace its content.
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
                s3.LifecycleRule(id="Done", prefix=DONE, expiration=Duration.days(90)),
                s3.LifecycleRule(id="Reports", prefix=REPORTS, expiration=Duration.days(365)),
                s3.LifecycleRule(
                    id="Left",
                    noncurrent_version_expiration=Duration.days(30),
                    expired_object_delete_marker=True,
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                ),
            ],
        )
        # The construct's own option deploys a function that sets it; the resource has the property.
        resource_of(self).add_property_override(
            "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True
        )
