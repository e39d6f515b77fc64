"""The bucket that partners drop files of orders into."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from handlers.files.dropped_file import CHECKPOINTS, DONE, INCOMING, REPORTS
from infra.constructs.private_bucket import AccessLogsBucket, PrivateBucket
from infra.constructs.suppressing import suppress
from infra.constructs.template import resource_of
from infra.retention import DROPPED_FILES, REPLACED_FILES


class FilesBucket(PrivateBucket):
    """Files arrive under ``incoming/`` and end under ``done/``, reports under ``reports/``. It notifies EventBridge.

    With versions: a file that is uploaded under the same name while another is imported does not replace its content.

    `policies` are the managed policies to attach to who drops files for a shop, by shop; `folders` are the shops' by
    folder.
    """

    def __init__(
        self, scope: Construct, construct_id: str, access_logs: AccessLogsBucket, folders: Mapping[str, str]
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            access_logs=access_logs,
            versioned=True,
            lifecycle_rules=[
                *(
                    s3.LifecycleRule(id=name, prefix=prefix, expiration=Duration.days(DROPPED_FILES.days))
                    for name, prefix in (("Incoming", INCOMING), ("Done", DONE), ("Checkpoints", CHECKPOINTS))
                ),
                s3.LifecycleRule(id="Reports", prefix=REPORTS, expiration=Duration.days(365)),
                s3.LifecycleRule(
                    id="Left",
                    noncurrent_version_expiration=Duration.days(REPLACED_FILES.days),
                    expired_object_delete_marker=True,
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                ),
            ],
        )
        # The construct's own option deploys a function that sets it; the resource has the property.
        resource_of(self).add_property_override(
            "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True
        )
        self.policies = {shop: self._policy(shop, folder) for folder, shop in folders.items()}

    def _policy(self, shop: str, folder: str) -> iam.ManagedPolicy:
        """May drop files into a shop's folder, and read what became of them."""
        incoming, *results = (self.arn_for_objects(f"{prefix}{folder}/*") for prefix in (INCOMING, DONE, REPORTS))
        policy = iam.ManagedPolicy(
            self,
            f"{shop.capitalize()}Files",
            description=f"May drop files of orders for the shop {shop}, and read their reports.",
            statements=[
                iam.PolicyStatement(actions=["s3:PutObject"], resources=[incoming]),
                iam.PolicyStatement(actions=["s3:GetObject"], resources=results),
            ],
        )
        suppress(
            policy, "AwsSolutions-IAM5", "A shop calls its files what it likes, in its folder.", ending=f"/{folder}/*"
        )
        return policy
