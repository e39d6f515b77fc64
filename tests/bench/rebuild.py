"""How fast a projection is rebuilt on this machine, how much memory its functions take, and how fast a replay goes."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from events import streams
from events.envelope import Actor, Metadata, event_id
from events.inventory import StockLine, StockReserved
from events.model import DomainEvent
from events.ordering import Destination, OrderConfirmed, OrderLine, OrderPlaced
from events.payments import PaymentAuthorized, PaymentCaptured
from events.shipping import ShipmentArranged, ShipmentDelivered, ShipmentDispatched
from handlers.projections import replays
from handlers.retry_policy import until_taken
from handlers.table import keys
from infra.function_spec import Subscription
from infra.functions import FUNCTIONS
from infra.local.pipeline import Pipeline
from infra.local.pipeline import pipeline as run_pipeline
from tests.bench.pausing import pause

_SIZES = (10_000, 100_000)
_PROJECTION = "order_view"
_WAIT_SCALE = 0.01
_PATIENCE_SECONDS = 900
_PUTS = 25
_FILLS, _SWITCHES = "FillFromLog", "SwitchReaders"
_DESTINATION = Destination(country="GB", postal_area="N1 ")


def measure(pipeline: Pipeline) -> dict[str, float]:
    """``rebuild_events_per_s.*`` and ``rebuild_peak_mb.*`` by how many events the log has.

    The order view is rebuilt by the state machine, of a log that is written for it: orders of eight events in four
    streams. The rate counts from the begin of the scan until readers are switched: each event is read and folded twice,
    to fill and to compare. The peak is the resident memory of the largest process of the rebuild's function so far.
    """
    pause(pipeline, "outbox", "stock_watch")
    pipeline.emulator.scale_waits(_WAIT_SCALE)
    log = _log()
    figures: dict[str, float] = {}
    written = 0
    for size in _SIZES:
        _write(pipeline, islice(log, size - written))
        written = size
        figures[f"rebuild_events_per_s.{size}"] = size / _seconds(pipeline)
        figures[f"rebuild_peak_mb.{size}"] = _peak_mb(pipeline.function_name("rebuild"))
    return figures


def measure_replay(pipeline: Pipeline) -> dict[str, float]:
    """``replay_events_per_s``: all that went over the bus before, replayed, until every projection has taken it in."""
    events, sqs = pipeline.client("events"), pipeline.client("sqs")
    archive = events.describe_archive(ArchiveName="orders")
    queues = [
        pipeline.queue_url(spec.key)
        for spec in FUNCTIONS
        if isinstance(spec.trigger, Subscription) and spec.trigger.replays
    ]
    name = replays.for_replay(None, "bench")
    started = time.monotonic()
    events.start_replay(
        ReplayName=name,
        EventSourceArn=archive["ArchiveArn"],
        EventStartTime=datetime.now(UTC) - replays.KEPT,
        EventEndTime=datetime.now(UTC),
        Destination={"Arn": archive["EventSourceArn"]},
    )
    while events.describe_replay(ReplayName=name)["State"] != "COMPLETED" or any(_waits(sqs, url) for url in queues):
        time.sleep(0.05)
    return {"replay_events_per_s": archive["EventCount"] / (time.monotonic() - started)}


def _waits(sqs: Any, url: str) -> bool:
    """Whether there are messages in a queue, or being worked on."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    return any(map(int, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()))


def _seconds(pipeline: Pipeline) -> float:
    states = pipeline.client("stepfunctions")
    wanted = json.dumps({"projection": _PROJECTION, "keep_seconds": 0})
    arn = states.start_execution(stateMachineArn=pipeline.outputs["RebuildStateMachineArn"], input=wanted)[
        "executionArn"
    ]
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (execution := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        if time.monotonic() > deadline:
            raise TimeoutError(f"the rebuild did not end within {_PATIENCE_SECONDS} s")
        time.sleep(0.2)
    if execution["status"] != "SUCCEEDED":
        raise RuntimeError(f"the rebuild ended as {execution['status']}: {execution.get('cause', '')}")
    history = states.get_paginator("get_execution_history").paginate(executionArn=arn)
    entered = {
        event["stateEnteredEventDetails"]["name"]: event["timestamp"]
        for page in history
        for event in page["events"]
        if "stateEnteredEventDetails" in event
    }
    seconds: float = (entered[_SWITCHES] - entered[_FILLS]).total_seconds()
    return seconds


def _peak_mb(function: str) -> float:
    """The peak resident memory of the processes in which a function runs."""
    marker = f"AWS_LAMBDA_FUNCTION_NAME={function}\0".encode()
    peaks = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and marker in (process / "environ").read_bytes():
                lines = (process / "status").read_text().splitlines()
                peaks += [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return max(peaks)


def _log() -> Iterator[dict[str, Any]]:
    """Items of the log, without end."""
    number = 0
    while True:
        yield from _order(f"demo.bench-{number:07d}", number)
        number += 1


def _order(order_id: str, number: int) -> Iterator[dict[str, Any]]:
    line = OrderLine(sku=f"sku-{number % 100}", quantity=2, unit_price=450)
    placed = OrderPlaced(
        order_id=order_id,
        content_hash="0" * 64,
        currency="GBP",
        lines=(line,),
        total=900,
        has_email=False,
        destination=_DESTINATION,
        customer_id=f"demo.customer-{number % 500}",
    )
    goods = (StockLine(sku=line.sku, quantity=line.quantity),)
    history: dict[str, list[DomainEvent]] = {
        streams.order(order_id): [placed, OrderConfirmed(order_id=order_id)],
        streams.reservation(order_id): [StockReserved(order_id=order_id, chunk=1, chunks=1, lines=goods)],
        streams.payment(order_id): [
            PaymentAuthorized(order_id=order_id, amount=900, currency="GBP", authorization_id="a"),
            PaymentCaptured(order_id=order_id, amount=900, currency="GBP"),
        ],
        streams.shipment(order_id): [
            ShipmentArranged(order_id=order_id, tracking_number="t"),
            ShipmentDispatched(order_id=order_id),
            ShipmentDelivered(order_id=order_id),
        ],
    }
    for stream, events in history.items():
        for version, event in enumerate(events, start=1):
            yield _item(stream, version, event, order_id)


def _item(stream: str, version: int, event: DomainEvent, order_id: str) -> dict[str, Any]:
    metadata = Metadata(
        event_id=event_id(stream, version),
        stream=stream,
        version=version,
        schema_version=event.schema_version,
        occurred_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        correlation_id=order_id,
        causation_id=order_id,
        actor=Actor(door="saga", principal="ordering_service"),
    )
    return {
        **keys.event(stream, version).attributes,
        "type": {"S": type(event).__name__},
        "schema_version": {"N": str(event.schema_version)},
        "data": {"S": event.model_dump_json(exclude_none=True)},
        "metadata": {"S": metadata.model_dump_json(exclude_none=True)},
    }


def _write(pipeline: Pipeline, items: Iterator[dict[str, Any]]) -> None:
    client = pipeline.client("dynamodb")

    def put(requests: dict[str, Any]) -> dict[str, Any]:
        left: dict[str, Any] = client.batch_write_item(RequestItems=requests)["UnprocessedItems"]
        return left

    while batch := list(islice(items, _PUTS)):
        until_taken(put, {pipeline.table_name: [{"PutRequest": {"Item": item}} for item in batch]})


if __name__ == "__main__":
    with run_pipeline() as deployed:
        print(json.dumps(measure(deployed), indent=2))
