"""What an environment costs in which nothing happens, by service, from its templates."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

from infra.app import synthesize
from infra.names import LOCAL_ENVIRONMENT, application_stack, data_stack
from infra.package import build_zips
from infra.planning.pricing import USD
from infra.settings.environment import Settings, file_of, read_settings

Size = Literal["small", "production"]
SIZES: tuple[Size, ...] = get_args(Size)

_HOURS = 730.0
"""Of a month, as AWS's price pages count them."""

_POLLS_A_MINUTE = 5 * 3
"""Of a queue that is empty: Lambda asks with five pollers, each of which waits for 20 seconds.

Source: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS".
"""


def measure() -> dict[str, float]:
    """``usd_idle_per_month.<small or production>.<service>``, and their totals.

    The small environment has the settings that ship; production deploys gradually, and has a firewall, besides.
    """
    figures: dict[str, float] = {}
    for size in SIZES:
        by_service = costs(size)
        figures |= {f"usd_idle_per_month.{size}.{service}": usd for service, usd in by_service.items()}
        figures[f"usd_idle_per_month.{size}.total"] = sum(by_service.values())
    return figures


def costs(size: Size) -> dict[str, float]:
    """What an environment of that size costs a month, by service."""
    small = read_settings(file_of(LOCAL_ENVIRONMENT))
    api = small.api.model_copy(update={"firewall": True})
    settings = small if size == "small" else small.model_copy(update={"gradual": True, "api": api})
    by_service: defaultdict[str, float] = defaultdict(float)
    for resource in _resources(settings):
        for service, usd in _costs(resource):
            by_service[service] += usd
    return dict(sorted(by_service.items()))


def _resources(settings: Settings) -> Iterator[Mapping[str, Any]]:
    with TemporaryDirectory() as folder:
        synthesize(build_zips("local"), LOCAL_ENVIRONMENT, settings, Path(folder))
        for stack in (data_stack(LOCAL_ENVIRONMENT), application_stack(LOCAL_ENVIRONMENT)):
            template = json.loads(Path(folder, f"{stack}.template.json").read_text(encoding="utf-8"))
            yield from template["Resources"].values()


def _costs(resource: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    if (costs := _BY_TYPE.get(resource["Type"])) is not None:
        yield costs(resource.get("Properties", {}))


def _alarm(alarm: Mapping[str, Any]) -> tuple[str, float]:
    metrics = [each for each in alarm.get("Metrics", []) if "MetricStat" in each]
    return "alarms", (len(metrics) or 1) * USD["alarm_metric_month"]


def _mapping(mapping: Mapping[str, Any]) -> tuple[str, float]:
    polled = "StartingPosition" not in mapping  # a stream is read for nothing
    return "pollers", polled * _POLLS_A_MINUTE * 60 * _HOURS * USD["sqs_request"]


def _endpoint(endpoint: Mapping[str, Any]) -> tuple[str, float]:
    return "network", len(endpoint.get("SubnetIds", [])) * _HOURS * USD["interface_endpoint_hour"]


def _web_acl(acl: Mapping[str, Any]) -> tuple[str, float]:
    return "firewall", USD["web_acl_month"] + len(acl["Rules"]) * USD["web_acl_rule_month"]


_BY_TYPE: Mapping[str, Callable[[Mapping[str, Any]], tuple[str, float]]] = {
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": lambda _: ("alarms", USD["composite_alarm_month"]),
    "AWS::Lambda::EventSourceMapping": _mapping,
    "AWS::KMS::Key": lambda _: ("keys", USD["kms_key_month"]),
    "AWS::SecretsManager::Secret": lambda _: ("secrets", USD["secret_month"]),
    "AWS::Cognito::UserPoolClient": lambda _: ("clients", USD["user_pool_client_month"]),
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::WAFv2::WebACL": _web_acl,
}
"""What costs without being used. Custom metrics cost in the hours in which they are sent, storage by what is stored."""


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
