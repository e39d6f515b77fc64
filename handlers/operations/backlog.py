"""The backlog: how many messages wait in front of each function, and since when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef, MetricStatTypeDef, MetricTypeDef
    from mypy_boto3_sqs import SQSClient

_LOOKED_BACK = timedelta(minutes=15)
_PERIOD_SECONDS = 60


class Backlog(NamedTuple):
    """About how many messages wait in a queue, how many are being processed, and the age of the oldest.

    ``oldest`` is None where CloudWatch has not measured it in the last quarter of an hour.
    """

    waiting: int
    processed: int
    oldest: timedelta | None


def backlogs(
    sqs: SQSClient, cloudwatch: CloudWatchClient, queues: Mapping[str, str], *, now: datetime
) -> dict[str, Backlog]:
    """The backlog of each function, by its key; ``queues`` are the URLs of their queues.

    Counts are those of SQS, about a minute behind; ages are those of CloudWatch, some minutes behind.
    """
    oldest = _ages(cloudwatch, list(queues.values()), now)
    return {function: _backlog(sqs, url, oldest.get(url)) for function, url in queues.items()}


def _backlog(sqs: SQSClient, url: str, oldest: timedelta | None) -> Backlog:
    counts = sqs.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )["Attributes"]
    return Backlog(
        int(counts["ApproximateNumberOfMessages"]), int(counts["ApproximateNumberOfMessagesNotVisible"]), oldest
    )


def _ages(cloudwatch: CloudWatchClient, urls: Sequence[str], now: datetime) -> dict[str, timedelta]:
    """By the URL of a queue, the last age of its oldest message that CloudWatch has. One call for all."""
    found = cloudwatch.get_metric_data(
        MetricDataQueries=[_age(number, url) for number, url in enumerate(urls)],
        StartTime=now - _LOOKED_BACK,
        EndTime=now,
        ScanBy="TimestampDescending",
    )["MetricDataResults"]
    return {
        urls[int(result["Id"].removeprefix("age"))]: timedelta(seconds=result["Values"][0])
        for result in found
        if result["Values"]
    }


def _age(number: int, url: str) -> MetricDataQueryTypeDef:
    metric: MetricTypeDef = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": url.rpartition("/")[2]}],
    }
    stat: MetricStatTypeDef = {"Metric": metric, "Period": _PERIOD_SECONDS, "Stat": "Maximum"}
    return {"Id": f"age{number}", "MetricStat": stat}
