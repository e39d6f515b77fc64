"""Reading the quotas of an account in a region."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from handlers.operations.preflight.quotas import (
    CONCURRENT_EXECUTIONS,
    SEND_QUOTA,
    SEND_RATE,
    TABLE_READS,
    TABLE_WRITES,
    TABLES,
    Answer,
    Quota,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_sesv2 import SESV2Client

SANDBOX = "in its sandbox, SES sends to verified addresses only: ask for production access"
SENDING_OFF = "SES sends nothing for this account: see its reputation dashboard"


class QuotaReader:
    """Reads quotas. One that cannot be read has an answer that says why.

    ``client`` makes a client of a service.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._lambda: LambdaClient = client("lambda")
        self._ses: SESV2Client = client("sesv2")
        self._dynamodb: DynamoDBClient = client("dynamodb")
        self._quotas: ServiceQuotasClient = client("service-quotas")
        self._readers: Mapping[Quota, Callable[[], Answer]] = {
            CONCURRENT_EXECUTIONS: self._concurrent_executions,
            SEND_RATE: lambda: self._sending("MaxSendRate"),
            SEND_QUOTA: lambda: self._sending("Max24HourSend"),
            TABLE_WRITES: lambda: Answer(self._dynamodb.describe_limits()["TableMaxWriteCapacityUnits"]),
            TABLE_READS: lambda: Answer(self._dynamodb.describe_limits()["TableMaxReadCapacityUnits"]),
            TABLES: self._tables,
        }

    def read(self, quotas: Iterable[Quota]) -> dict[Quota, Answer]:
        """How much there is of each of these quotas."""
        return {quota: self._answer(quota) for quota in quotas}

    def _answer(self, quota: Quota) -> Answer:
        try:
            return self._readers[quota]() if quota in self._readers else Answer(self._of_service_quotas(quota))
        except ClientError as refusal:
            error = refusal.response["Error"]
            return Answer(None, note=f"{refusal.operation_name}: {error.get('Code', '?')}")

    def _concurrent_executions(self) -> Answer:
        limit = self._lambda.get_account_settings()["AccountLimit"]
        free = limit["UnreservedConcurrentExecutions"]
        return Answer(free, taken=limit["ConcurrentExecutions"] - free)

    def _sending(self, which: Literal["MaxSendRate", "Max24HourSend"]) -> Answer:
        account = self._ses.get_account()
        if not account["ProductionAccessEnabled"]:
            return Answer(0, note=SANDBOX)
        if not account["SendingEnabled"]:
            return Answer(0, note=SENDING_OFF)
        return Answer(account["SendQuota"][which])

    def _tables(self) -> Answer:
        pages = self._dynamodb.get_paginator("list_tables").paginate()
        there = sum(len(page["TableNames"]) for page in pages)
        return Answer(self._of_service_quotas(TABLES) - there, taken=there)

    def _of_service_quotas(self, quota: Quota) -> float:
        """What applies to the account, or else AWS's default for the region."""
        wanted = {"ServiceCode": quota.service, "QuotaCode": quota.code}
        try:
            return self._quotas.get_service_quota(**wanted)["Quota"]["Value"]
        except self._quotas.exceptions.NoSuchResourceException:
            return self._quotas.get_aws_default_service_quota(**wanted)["Quota"]["Value"]
