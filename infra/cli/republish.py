"""Publishing what is in the log, and did not get on the orders bus."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handlers.table import keys
from handlers.table.codec import encode
from infra.cli import connection
from infra.cli.errors import Failure
from infra.cli.output import out, tell

if TYPE_CHECKING:
    from handlers.table.event_store import EventStore
    from infra.cli.connection import Connection

Image = Mapping[str, Any]
"""An event's item, as DynamoDB returns it and as its stream shows it."""

_BATCH_BYTES = 4_000_000
"""Of the six megabytes that a synchronous invocation takes."""
_BATCH = 100


def republish(
    context: typer.Context,
    streams: Annotated[
        list[str],
        typer.Argument(metavar="STREAM...", help="The streams, such as order#1 or payment#1.", show_default=False),
    ],
    version: Annotated[
        int | None, typer.Option(min=1, help="Only the event of that version, of the one stream.", show_default=False)
    ] = None,
) -> None:
    """Publish the events of streams from the log, in order. Who had them before does nothing twice.

    Only the outbox may put on the orders bus, so it is the outbox that is given them. What it can never publish it
    puts into its dead-letter queue, as ever.

    Needs dynamodb:Query, lambda:InvokeFunction on the outbox and cloudformation:DescribeStacks.
    """
    pipeline = connection.of(context)
    if version is not None and len(streams) > 1:
        raise Failure("--version is of one stream", status=2)
    for stream in streams:
        _checked(stream)
    for stream in streams:
        images = _images(pipeline.store, stream, version)
        for batch in _batches(images):
            _publish(pipeline, stream, batch)
        tell(out(), f"published {len(images)} of {stream}")


def _checked(stream: str) -> None:
    from events.streams import CONTEXTS, is_published  # noqa: PLC0415 - see the package

    kind, _, key = stream.partition("#")
    if kind not in CONTEXTS or not key:
        raise Failure(f"{stream!r} is no stream, such as order#1; there is: {', '.join(CONTEXTS)}", status=2)
    if not is_published(stream):
        raise Failure(f"{stream}: the events of {kind} streams stay in the log and are not published", status=2)


def _images(store: EventStore, stream: str, version: int | None) -> list[Image]:
    """The items of a stream's events, of all or of one version.

    Raises:
        Failure: there is none.
    """
    sort_key = keys.EVENT if version is None else keys.event(stream, version).sk
    pages = store.client.get_paginator("query").paginate(
        TableName=store.table,
        KeyConditionExpression="PK = :stream AND begins_with(SK, :event)",
        ExpressionAttributeValues=encode({":stream": stream, ":event": sort_key}),
        ConsistentRead=True,
    )
    images: list[Image] = [item for page in pages for item in page["Items"]]
    if not images:
        raise Failure(f"there is no {stream} in the log" if version is None else f"{stream} has no version {version}")
    return images


def _batches(images: Sequence[Image]) -> Iterator[list[Image]]:
    batch: list[Image] = []
    size = 0
    for image in images:
        more = len(json.dumps(image))
        if batch and (len(batch) == _BATCH or size + more > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(image)
        size += more
    yield batch


def _publish(pipeline: Connection, stream: str, images: Sequence[Image]) -> None:
    """Give events to the outbox as the table's stream would.

    Raises:
        Failure: the outbox fails.
    """
    records = [
        {"eventName": "INSERT", "dynamodb": {"Keys": {"PK": image["PK"], "SK": image["SK"]}, "NewImage": image}}
        for image in images
    ]
    answer = pipeline.client("lambda").invoke(
        FunctionName=pipeline.outputs["OutboxFunctionName"],
        InvocationType="RequestResponse",
        Payload=json.dumps({"Records": records}).encode(),
    )
    if "FunctionError" in answer:
        failed = json.loads(answer["Payload"].read())
        raise Failure(f"the outbox failed at {stream}: {failed.get('errorType')}: {failed.get('errorMessage')}")
