"""Seeing events as they cross the orders bus."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from infra.cli import connection
from infra.cli.arguments import checked
from infra.cli.errors import Failure
from infra.cli.output import err, moment, out, tell, tell_row
from infra.cli.own_queue import OwnQueue, own_queue
from infra.cli.telling import what_matters
from infra.names import ORDERS_BUS_NAME

PREFIX = "pipeline-tail-"
"""What the names of queues and rules begin with that a tail makes for itself."""

_WAIT_SECONDS = 10


def tail(
    context: typer.Context,
    types: Annotated[
        list[str] | None, typer.Option("--type", metavar="EVENT", help="Only events of that type; may be repeated.")
    ] = None,
    order: Annotated[str | None, typer.Option(metavar="ID", help="Only events of that order.")] = None,
) -> None:
    """Show events as they happen, until Ctrl-C."""
    pipeline = connection.of(context)
    wanted = pattern(types or [], order)
    console = out()
    with own_queue(pipeline.client("events"), pipeline.client("sqs"), PREFIX, wanted) as queue:
        tell(err(), f"listening on the bus {ORDERS_BUS_NAME}; Ctrl-C ends")
        for event in _received(queue):
            tell_row(console, _line(event))


def pattern(types: list[str], order: str | None) -> dict[str, Any]:
    """The pattern of the events wanted; never one that is replayed.

    Raises:
        Failure: there is no such type, or the order's id is none.
    """
    from events.catalog import DOMAIN_EVENTS  # noqa: PLC0415 - see the package

    wanted: dict[str, Any] = {"source": [{"prefix": "orders."}], "replay-name": [{"exists": False}]}
    if unknown := [each for each in types if each not in DOMAIN_EVENTS]:
        raise Failure(f"there is no event {', '.join(unknown)}; there is: {', '.join(sorted(DOMAIN_EVENTS))}", status=2)
    if types:
        wanted["detail-type"] = types
    if order is not None:
        wanted["detail"] = {"data": {"order_id": [checked(order, "order id")]}}
    return wanted


def _received(queue: OwnQueue) -> Iterator[dict[str, Any]]:
    """The events that come into the queue, without end."""
    while True:
        answer = queue.sqs.receive_message(QueueUrl=queue.url, MaxNumberOfMessages=10, WaitTimeSeconds=_WAIT_SECONDS)
        if messages := answer.get("Messages"):
            yield from (json.loads(message["Body"]) for message in messages)
            queue.sqs.delete_message_batch(
                QueueUrl=queue.url,
                Entries=[{"Id": each["MessageId"], "ReceiptHandle": each["ReceiptHandle"]} for each in messages],
            )
        queue.still_alive()


def _line(event: Mapping[str, Any]) -> tuple[str, ...]:
    metadata, data = event["detail"]["metadata"], event["detail"]["data"]
    return (
        moment(metadata["occurred_at"]),
        f"{metadata['stream']} {metadata['version']}",
        event["detail-type"],
        what_matters(data),
    )
