"""Republish: give events of the log to the outbox once more, which puts them on the orders bus."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from events.streams import CONTEXTS, is_published
from handlers.operations.errors import InvalidRequest, OperationFailed
from handlers.table import keys
from handlers.table.codec import encode
from handlers.table.event_store import EventStore

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

Image = Mapping[str, Any]
"""An event's item, as DynamoDB returns it and as its stream shows it."""

_BATCH_BYTES = 4_000_000
"""Of the six megabytes that a synchronous invocation takes."""
_BATCH = 100


class Republished(NamedTuple):
    """How many events of a stream were given to the outbox."""

    stream: str
    events: int


def republish(
    store: EventStore, functions: LambdaClient, outbox: str, streams: Sequence[str], version: int | None = None
) -> Iterator[Republished]:
    """Publish the events of streams from the log, in order. Subscribers that had them before do nothing twice.

    Only the outbox may put events on the orders bus, so the outbox is invoked with them. What it can never publish it
    sends to its dead-letter queue, as it always does.

    Args:
        store: the log.
        functions: a Lambda client.
        outbox: the name of the outbox's function.
        streams: such as ``order#demo.by-hand-1``.
        version: only the event of that version, of the one stream.

    Raises:
        InvalidRequest: one of them is no stream, or none that is published. Nothing was published.
        OperationFailed: a stream has no such event, or the outbox failed. Streams before it were published.
    """
    if version is not None and len(streams) > 1:
        raise InvalidRequest("a version is of one stream; name one")
    for stream in streams:
        _check(stream)
    for stream in streams:
        images = _images(store, stream, version)
        for batch in _batches(images):
            _publish(functions, outbox, stream, batch)
        yield Republished(stream, len(images))


def _check(stream: str) -> None:
    kind, _, key = stream.partition("#")
    if kind not in CONTEXTS or not key:
        raise InvalidRequest(f"{stream!r} is no stream, such as order#demo.by-hand-1; there is: {', '.join(CONTEXTS)}")
    if not is_published(stream):
        raise InvalidRequest(f"{stream}: the events of {kind} streams stay in the log and are not published")


def _images(store: EventStore, stream: str, version: int | None) -> list[Image]:
    """The items of a stream's events, of all or of one version. Raises OperationFailed where there is none."""
    sort_key = keys.EVENT if version is None else keys.event(stream, version).sk
    pages = store.client.get_paginator("query").paginate(
        TableName=store.table,
        KeyConditionExpression="PK = :stream AND begins_with(SK, :event)",
        ExpressionAttributeValues=encode({":stream": stream, ":event": sort_key}),
        ConsistentRead=True,
    )
    images: list[Image] = [item for page in pages for item in page["Items"]]
    if not images:
        missing = f"there is no {stream} in the log" if version is None else f"{stream} has no version {version}"
        raise OperationFailed(missing)
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


def _publish(functions: LambdaClient, outbox: str, stream: str, images: Sequence[Image]) -> None:
    """Invoke the outbox with events as the table's stream would. Raises OperationFailed if it fails."""
    records = [
        {"eventName": "INSERT", "dynamodb": {"Keys": {"PK": image["PK"], "SK": image["SK"]}, "NewImage": image}}
        for image in images
    ]
    answer = functions.invoke(
        FunctionName=outbox, InvocationType="RequestResponse", Payload=json.dumps({"Records": records}).encode()
    )
    if "FunctionError" in answer:
        failed = json.loads(answer["Payload"].read())
        raise OperationFailed(f"the outbox failed at {stream}: {failed.get('errorType')}: {failed.get('errorMessage')}")
