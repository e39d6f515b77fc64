"""What every bucket has in common, and the bucket that says who reached the others."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.keeping import KEPT


class PrivateBucket(s3.Bucket):
    """Encrypted, over TLS only, closed to the public, and kept. Each access to it is logged in `access_logs`.

    `options` are further ones of the bucket.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, access_logs: AccessLogsBucket | None, **options: Any
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            removal_policy=KEPT,
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix=f"{construct_id}/" if access_logs else None,
            **options,
        )


class AccessLogsBucket(PrivateBucket):
    """Who reached which object of the other buckets, by their names: kept for as many days as all logs.

    Its own accesses are not logged: each log would bring another. S3 delivers logs to no bucket that is encrypted with
    a customer's key, nor to one with Object Lock. Source: Amazon S3 User Guide, "Enabling Amazon S3 server access
    logging".
    """

    def __init__(self, scope: Construct, construct_id: str, *, days: int) -> None:
        super().__init__(
            scope,
            construct_id,
            access_logs=None,
            lifecycle_rules=[s3.LifecycleRule(id="Old", expiration=Duration.days(days))],
        )
