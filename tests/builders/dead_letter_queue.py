"""The functions' dead-letter queue."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from handlers.runtime import aws
from tests.builders.environment import QUEUE_URL

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef


@cache
def queue() -> SQSClient:
    """An SQS client."""
    return aws.sqs()


def dead_letters() -> list[MessageTypeDef]:
    """What is in the dead-letter queue."""
    found: list[MessageTypeDef] = []
    while (
        page := queue()
        .receive_message(QueueUrl=QUEUE_URL, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0)
        .get("Messages")
    ):
        found += page
    return found
