"""AWS clients, as the functions make them.

botocore is used directly: boto3 adds nothing to low-level clients but the time to import it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

import botocore.session
from botocore.config import Config

from handlers.retry_policy import CLIENT_RETRIES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

session = botocore.session.get_session()
_config = Config(
    connect_timeout=1,
    read_timeout=3,
    retries=CLIENT_RETRIES,
    # Requests are typed where they are written; checking them again costs a tenth of each call.
    parameter_validation=False,
)


@cache
def dynamodb() -> DynamoDBClient:
    """The DynamoDB client."""
    return cast("DynamoDBClient", session.create_client("dynamodb", config=_config))


def eventbridge() -> EventBridgeClient:
    """An EventBridge client."""
    return cast("EventBridgeClient", session.create_client("events", config=_config))


def sqs() -> SQSClient:
    """An SQS client."""
    return cast("SQSClient", session.create_client("sqs", config=_config))


def s3() -> S3Client:
    """An S3 client. A copy of a large object is answered when it is made, so it waits for longer."""
    patient = _config.merge(Config(read_timeout=30))
    return cast("S3Client", session.create_client("s3", config=patient))


def lambda_() -> LambdaClient:
    """A client of Lambda itself."""
    return cast("LambdaClient", session.create_client("lambda", config=_config))


def stepfunctions() -> SFNClient:
    """A Step Functions client."""
    return cast("SFNClient", session.create_client("stepfunctions", config=_config))


def secretsmanager() -> SecretsManagerClient:
    """A client of Secrets Manager."""
    return cast("SecretsManagerClient", session.create_client("secretsmanager", config=_config))


def ses() -> SESV2Client:
    """An SES client that never sends a request twice by itself: e-mail has no idempotency key."""
    once = _config.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
    return cast("SESV2Client", session.create_client("sesv2", config=once))
