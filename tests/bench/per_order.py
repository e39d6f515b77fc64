"""What one confirmed order of three lines costs: counted while it happens, priced at AWS's list prices."""

import json
import math
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

from events.integration import OrderSubmitted, StockDelivered
from events.shops import of_shop, own_id
from infra.functions import FUNCTIONS
from infra.local.pipeline import Pipeline
from infra.names import DEMO_SHOP
from tests.bench.metering import metered

_PRICES: dict[str, Any] = json.loads((Path(__file__).parent / "prices.json").read_text())
_USD: dict[str, float] = _PRICES["usd"]
_MILLION = 1_000_000
_GIGABYTE = 1024**3
_EXPRESS_CHUNK_GIGABYTES = 64 / 1024
"""What an execution with little data is billed for: memory comes in chunks of 64 MB."""
_FIREHOSE_STEP = 5 * 1024
_LOG_EVENT_OVERHEAD = 26  # bytes; source: CloudWatch Logs pricing
_NOT_ON_AWS = ("START RequestId", "END RequestId", "REPORT RequestId")
"""What the emulator logs of each call; on AWS the level of the system's lines leaves it out."""
_DURATION = re.compile(r"\tBilled Duration: (\d+) ms")
_PATIENCE_SECONDS = 30.0
_WARM_UP, _COUNTED = of_shop(DEMO_SHOP, "bench-warm-up"), of_shop(DEMO_SHOP, "bench-counted")
_SKUS = ("bench-a", "bench-b", "bench-c")


def measure(pipeline: Pipeline) -> dict[str, float]:
    """``per_order.*`` and ``usd_per_million_orders.*`` of an order of three lines that the express lane confirms.

    ``step_functions_standard`` is what the Standard lane costs for the same, which is not in the total.

    ``write_units`` are those of the log, the levels and the order view; projections that count, and the vault, have
    their own. The sandboxes' books and the publisher's own entry are left out. A first order warms the functions up, so
    that durations are those of warm calls.
    """
    names = {spec.key: pipeline.function_name(spec.key) for spec in FUNCTIONS}
    tap = _Tap(pipeline)
    with metered(pipeline, iter(names.values())) as meter:
        _publish(pipeline, StockDelivered.model_validate_json(_delivery()), "StockDelivered")
        _until(lambda: _item(pipeline, f"level#{_SKUS[-1]}", "level"), "the stock is on the shelf")
        _confirm(pipeline, _WARM_UP)
        calls_before, seconds_before = _calls(pipeline, names)
        meter.clear()
        tap.drain()
        began = time.time()
        _confirm(pipeline, _COUNTED)
        calls_after, seconds_after = _calls(pipeline, names)
        log_bytes = _log_bytes(pipeline, names, began)
    calls = {key: calls_after[key] - calls_before[key] for key in names}
    gigabyte_seconds = sum(
        (seconds_after[spec.key] - seconds_before[spec.key]) * spec.memory / 1024 for spec in FUNCTIONS
    )
    queued = sum(calls[spec.key] for spec in FUNCTIONS if spec.queued)
    submission = 1
    heard = tap.drain()
    counts = {
        **_express(pipeline, _COUNTED),
        "function_calls": sum(calls.values()),
        "put_events_entries": meter["put_events_entries"],
        # A message is sent by the bus; each call of a queue's function receives a batch and deletes it.
        "sqs_requests": submission + tap.deliveries(heard) + 2 * queued + meter["sqs_sends"],
        **{key: number for key, number in sorted(meter.items()) if key.startswith("write_units")},
        "read_units": meter["read_units"],
        "log_bytes": log_bytes,
    }
    usd = {
        "step_functions": _USD["express_request"]
        + counts["express_seconds"] * _EXPRESS_CHUNK_GIGABYTES * _USD["express_gb_second"],
        "lambda": counts["function_calls"] * _USD["lambda_request"] + gigabyte_seconds * _USD["lambda_gb_second_arm"],
        "eventbridge": counts["put_events_entries"] * _USD["put_events_entry"],
        "sqs": counts["sqs_requests"] * _USD["sqs_request"],
        "dynamodb": sum(number for key, number in counts.items() if key.startswith("write_units"))
        * _USD["dynamodb_write_unit"]
        + counts["read_units"] * _USD["dynamodb_read_unit"],
        "logs": log_bytes / _GIGABYTE * _USD["logs_gigabyte"],
        "firehose": sum(map(_billed_bytes, heard)) / _GIGABYTE * _USD["firehose_gigabyte"],
    }
    usd["total"] = sum(usd.values())
    usd["step_functions_standard"] = counts["state_transitions"] * _USD["state_transition"]
    return {f"per_order.{name}": value for name, value in counts.items()} | {
        f"usd_per_million_orders.{service}": price * _MILLION for service, price in usd.items()
    }


def _billed_bytes(event: str) -> int:
    """What Firehose bills for an event in the audit copy: steps of 5 KB."""
    return math.ceil(len(event.encode()) / _FIREHOSE_STEP) * _FIREHOSE_STEP


class _Tap:
    """A queue that hears everything on the orders bus, to count what the deployed rules put on queues."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._events = pipeline.client("events")
        self._sqs = pipeline.client("sqs")
        self._bus = pipeline.orders_bus
        self._url = self._sqs.create_queue(QueueName="bench-tap")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self._rules = [
            (rule["EventPattern"], target["Arn"])
            for rule in self._events.list_rules(EventBusName=self._bus)["Rules"]
            for target in self._events.list_targets_by_rule(Rule=rule["Name"], EventBusName=self._bus)["Targets"]
        ]
        self._events.put_rule(
            Name="bench-tap", EventBusName=self._bus, EventPattern=json.dumps({"source": [{"prefix": "orders."}]})
        )
        self._events.put_targets(Rule="bench-tap", EventBusName=self._bus, Targets=[{"Id": "tap", "Arn": arn}])

    def drain(self) -> list[str]:
        """The events heard since the last time, as JSON."""
        heard: list[str] = []
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            heard += [message["Body"] for message in messages]
            for message in messages:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return heard

    def deliveries(self, heard: list[str]) -> int:
        """How many messages the rules put on queues for these events."""
        return sum(
            self._events.test_event_pattern(EventPattern=pattern, Event=event)["Result"]
            for event in heard
            for pattern, target in self._rules
            if ":sqs:" in target
        )


def _confirm(pipeline: Pipeline, order_id: str) -> None:
    """Submit an order and wait until its view is confirmed and its customer told."""
    _publish(pipeline, OrderSubmitted.model_validate_json(_order(own_id(order_id))), "OrderSubmitted")
    _until(lambda: _status(pipeline, order_id) == "CONFIRMED", f"{order_id} is confirmed")
    _until(lambda: _item(pipeline, f"notification#{order_id}", "event#0000000002"), f"{order_id}: notified")
    # Calls are counted as they end; one more look at quiet counts makes sure that none is under way.
    names = {spec.key: pipeline.function_name(spec.key) for spec in FUNCTIONS}
    seen: list[Counter[str]] = []

    def quiet() -> bool:
        seen.append(_calls(pipeline, names)[0])
        time.sleep(0.5)
        return len(seen) > 1 and seen[-1] == seen[-2]

    _until(quiet, "no function is called any more")


def _order(own_id: str) -> str:
    return json.dumps(
        {
            "order_id": own_id,
            "currency": "GBP",
            "lines": [
                {"sku": sku, "quantity": 6, "unit_price": 255, "description": "WHITE METAL LANTERN"} for sku in _SKUS
            ],
            "customer": {"customer_id": "17850", "email": "jo.smith@example.com"},
            "shipping_address": {
                "name": "Jo Smith",
                "street": "1 High Street",
                "city": "London",
                "postal_code": "N1 1AA",
                "country": "GB",
            },
            "payment_token": "tok_approve",
        }
    )


def _delivery() -> str:
    lines = [{"sku": sku, "quantity": 1000} for sku in _SKUS]
    return json.dumps({"delivery_id": "bench-delivery", "lines": lines})


def _publish(pipeline: Pipeline, event: OrderSubmitted | StockDelivered, detail_type: str) -> None:
    entry = {
        "Source": "bench",
        "DetailType": detail_type,
        "Detail": event.model_dump_json(exclude_none=True),
        "EventBusName": pipeline.intake_bus,
    }
    answer = pipeline.client("events").put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        raise RuntimeError(f"{detail_type} was not taken: {answer['Entries']}")


def _item(pipeline: Pipeline, pk: str, sk: str) -> dict[str, Any] | None:
    key = {"PK": {"S": pk}, "SK": {"S": sk}}
    answer = pipeline.client("dynamodb").get_item(TableName=pipeline.table_name, Key=key, ConsistentRead=True)
    item: dict[str, Any] | None = answer.get("Item")
    return item


def _status(pipeline: Pipeline, order_id: str) -> str | None:
    view = _item(pipeline, f"view#order#{order_id}", "1")
    return view["status"]["S"] if view else None


def _until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {_PATIENCE_SECONDS:g} s until {what}")
        time.sleep(0.05)


def _express(pipeline: Pipeline, order_id: str) -> dict[str, float]:
    """What the express lane is billed by, its seconds in steps of 100 ms; and what the Standard lane would be: states
    entered, and one for the start.
    """
    states = pipeline.client("stepfunctions")
    for execution in states.list_executions(stateMachineArn=pipeline.express_state_machine_arn)["executions"]:
        arn = execution["executionArn"]
        if json.loads(states.describe_execution(executionArn=arn)["input"])["order_id"] == order_id:
            history = states.get_execution_history(executionArn=arn, maxResults=1000)["events"]
            entered = [event for event in history if event["type"].endswith("StateEntered")]
            # The emulator rests before the first state.
            seconds = (history[-1]["timestamp"] - entered[0]["timestamp"]).total_seconds()
            return {"state_transitions": 1 + len(entered), "express_seconds": math.ceil(seconds * 10) / 10}
    raise LookupError(f"no execution for {order_id}")


def _calls(pipeline: Pipeline, names: dict[str, str]) -> tuple[Counter[str], dict[str, float]]:
    """How often each function was called so far, and for how many seconds in all: from the reports in its log."""
    calls: Counter[str] = Counter()
    seconds: dict[str, float] = {}
    for key, name in names.items():
        durations = [int(match[1]) for line in _reports(pipeline, name) if (match := _DURATION.search(line))]
        calls[key], seconds[key] = len(durations), sum(durations) / 1000
    return calls, seconds


def _reports(pipeline: Pipeline, function_name: str) -> list[str]:
    return _logged(pipeline, function_name, filterPattern='"REPORT RequestId"')


def _log_bytes(pipeline: Pipeline, names: dict[str, str], since: float) -> int:
    """What all functions have logged since then, as CloudWatch bills it."""
    lines = [
        line
        for name in names.values()
        for message in _logged(pipeline, name, startTime=int(since * 1000))
        for line in message.splitlines()
        if not line.startswith(_NOT_ON_AWS)
    ]
    return sum(len(line.encode()) + _LOG_EVENT_OVERHEAD for line in lines)


def _logged(pipeline: Pipeline, function_name: str, **wanted: Any) -> list[str]:
    logging = pipeline.client("lambda").get_function_configuration(FunctionName=function_name)["LoggingConfig"]
    pages = (
        pipeline.client("logs").get_paginator("filter_log_events").paginate(logGroupName=logging["LogGroup"], **wanted)
    )
    return [event["message"] for page in pages for event in page["events"]]
