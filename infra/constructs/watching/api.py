"""The layer of the API: answers that are our own fault, and slow ones."""

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.constructs.api.gateway import HttpApi
from infra.constructs.watching.alarm import FIVE_MINUTES, MINUTE, inform
from infra.settings.alarms import AlarmSettings


def watch_answers(scope: Construct, api: HttpApi, settings: AlarmSettings) -> None:
    """It answers with 5xx, or late. What callers do wrong is answered with 4xx, and nobody is told."""
    inform(
        scope,
        "api-errors",
        f"The API answered {settings.api_errors} requests with 5xx within five minutes.",
        api.metric_server_error(statistic="sum", period=FIVE_MINUTES),
        settings.api_errors,
    )
    inform(
        scope,
        "api-latency",
        f"One in a hundred answers of the API has taken {settings.api_latency_ms} ms for a quarter of an hour.",
        api.metric_latency(statistic="p99", period=FIVE_MINUTES),
        settings.api_latency_ms,
        periods=3,
    )


def watch_orders(scope: Construct, api: HttpApi, settings: AlarmSettings) -> cloudwatch.Alarm:
    """So many percent of the orders that are placed over HTTP are answered with 5xx, minute after minute."""
    share = api.orders.metric_server_error(api.deployment_stage, statistic="avg", period=MINUTE)
    return inform(
        scope,
        "api-takes-no-orders",
        f"For five minutes, the API has answered {settings.api_refused_percent} % of orders with 5xx.",
        share,
        settings.api_refused_percent / 100,
        periods=5,
    )
