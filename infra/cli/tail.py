"""Seeing events as they cross the orders bus."""

from __future__ import annotations

import json
import secrets
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.bus_queue import open_queue, remove_queue
from infra.cli import connection
from infra.cli.arguments import checked
from infra.cli.errors import Failure
from infra.cli.output import err, moment, out, tell, tell_row
from infra.cli.telling import what_matters
from infra.names import ORDERS_BUS_NAME

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

PREFIX = "pipeline-tail-"
"""What the names of queues and rules begin with that a tail makes for itself."""

ALIVE = "alive"
"""The tag of a queue that says when its tail was last known to live, in seconds since 1970."""

_SAYS_SO_EVERY_SECONDS = 600
_DEAD_AFTER_SECONDS = 3600
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
    events, sqs = pipeline.client("events"), pipeline.client("sqs")
    _remove_leftovers(events, sqs)
    console = out()
    with _queue(events, sqs, wanted) as url:
        tell(err(), f"listening on the bus {ORDERS_BUS_NAME}; Ctrl-C ends")
        for event in _received(sqs, url):
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


@contextmanager
def _queue(events: EventBridgeClient, sqs: SQSClient, wanted: Mapping[str, Any]) -> Iterator[str]:
    """A queue with the events wanted, for the time of the block."""
    name = PREFIX + secrets.token_hex(6)
    try:
        yield open_queue(events, sqs, ORDERS_BUS_NAME, name, wanted, tags=_alive())
    finally:
        # A second Ctrl-C must not keep back what the first one began to remove.
        before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            remove_queue(events, sqs, ORDERS_BUS_NAME, name)
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def _received(sqs: SQSClient, url: str) -> Iterator[dict[str, Any]]:
    """The events that come into the queue, without end."""
    said_so = time.monotonic()
    while True:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=_WAIT_SECONDS)
        if messages := answer.get("Messages"):
            yield from (json.loads(message["Body"]) for message in messages)
            sqs.delete_message_batch(
                QueueUrl=url,
                Entries=[{"Id": each["MessageId"], "ReceiptHandle": each["ReceiptHandle"]} for each in messages],
            )
        if time.monotonic() - said_so > _SAYS_SO_EVERY_SECONDS:
            sqs.tag_queue(QueueUrl=url, Tags=_alive())
            said_so = time.monotonic()


def _remove_leftovers(events: EventBridgeClient, sqs: SQSClient) -> None:
    """Remove what tails left behind that were killed."""
    for url in sqs.list_queues(QueueNamePrefix=PREFIX).get("QueueUrls", []):
        try:
            alive = int(sqs.list_queue_tags(QueueUrl=url).get("Tags", {}).get(ALIVE, 0))
        except sqs.exceptions.QueueDoesNotExist:
            continue
        if time.time() - alive > _DEAD_AFTER_SECONDS:
            remove_queue(events, sqs, ORDERS_BUS_NAME, url.rpartition("/")[2])


def _alive() -> dict[str, str]:
    return {ALIVE: str(int(time.time()))}


def _line(event: Mapping[str, Any]) -> tuple[str, ...]:
    metadata, data = event["detail"]["metadata"], event["detail"]["data"]
    return (
        moment(metadata["occurred_at"]),
        f"{metadata['stream']} {metadata['version']}",
        event["detail-type"],
        what_matters(data),
    )
