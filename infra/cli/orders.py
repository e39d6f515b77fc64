"""Looking at orders: one, its history, and those of a status."""

from __future__ import annotations

import time
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from events.currencies import formatted
from handlers.table import keys
from handlers.table.codec import decode, encode
from infra.cli import connection
from infra.cli.arguments import OrderId, checked
from infra.cli.connection import Connection
from infra.cli.errors import Failure
from infra.cli.output import err, moment, out, show, table, tell, text
from infra.cli.telling import what_matters
from infra.names import TABLE_NAME

if TYPE_CHECKING:
    from events.envelope import Recorded
    from handlers.projections.order_fold import Attributes

ENDED = {"CONFIRMED", "CANCELLED", "REJECTED"}
"""The statuses in which nothing more happens to an order by itself."""

_UNNAMED = ("", "")
_POLL_SECONDS = 0.3
_APPEARS_WITHIN_SECONDS = 30.0
_MOST_LISTED = 1000


def status(
    context: typer.Context,
    order_id: OrderId,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the order until it has ended.")] = False,
) -> None:
    """Show where an order stands."""
    pipeline = connection.of(context)
    checked(order_id, "order id")
    if watch:
        _watch(pipeline, order_id)
        return
    view = pipeline.reader.order(order_id)
    if view is None:
        raise _unknown(order_id)
    show(out(), _UNNAMED, _rows(view))


def history(context: typer.Context, order_id: OrderId) -> None:
    """Show all that happened to an order, on whatever stream."""
    pipeline = connection.of(context)
    checked(order_id, "order id")
    events = pipeline.reader.history(order_id)
    if not events:
        raise _unknown(order_id)
    columns = ("when", "stream", "event", "what matters")
    show(out(), columns, [_event(record) for record in events])


def orders(
    context: typer.Context,
    status: Annotated[
        str, typer.Option(help="PLACED, CONFIRMED, CANCELLING, CANCELLED or REJECTED.", show_default=False)
    ],
    limit: Annotated[int, typer.Option(min=1, max=_MOST_LISTED, help="How many to list at most.")] = 20,
) -> None:
    """List the orders of a status, newest first."""
    from handlers.api.answers import Status  # noqa: PLC0415 - see the package

    pipeline = connection.of(context)
    wanted = status.upper()
    if wanted not in get_args(Status):
        raise Failure(f"there is no status {status!r}; there is: {', '.join(get_args(Status))}", status=2)
    found = list(islice(_of_status(pipeline, wanted, limit), limit))
    if found:
        columns = ("order", "when", "total")
        show(out(), columns, [(order["order_id"], moment(_when(order)), _listed_total(order)) for order in found])
    else:
        tell(err(), f"no order is {wanted}")


def _unknown(order_id: str) -> Failure:
    return Failure(f"there is no order {order_id}, or not yet")


def _rows(view: Attributes) -> Iterator[tuple[str, str]]:
    """What is shown of a view, by what it is called: what the API shows of it too."""
    from handlers.api.answers import OrderStatus  # noqa: PLC0415 - see the package

    for name in OrderStatus.model_fields:
        if name not in view or name == "currency":
            continue
        value = view[name]
        if name == "total":
            value = formatted(value, view["currency"])
        elif name.endswith("_at"):
            value = moment(value)
        yield "order" if name == "order_id" else name.replace("_", " "), str(value)


def _watch(pipeline: Connection, order_id: str) -> None:
    console = out()
    if not console.is_terminal:
        for view in _changes(pipeline, order_id):
            tell(console, ", ".join(_in_short(view)))
        return

    from rich.live import Live  # noqa: PLC0415 - see the package

    with Live(text(f"waiting for order {order_id}"), console=console, auto_refresh=False) as live:
        for view in _changes(pipeline, order_id):
            live.update(table(_UNNAMED, _rows(view)), refresh=True)


def _changes(pipeline: Connection, order_id: str) -> Iterator[Attributes]:
    """The view of an order whenever it has changed, until the order has ended.

    Raises:
        Failure: there is no such order, even after a while: one just submitted takes a moment.
    """
    deadline = time.monotonic() + _APPEARS_WITHIN_SECONDS
    shown: Attributes | None = None
    while shown is None or shown["status"] not in ENDED:
        view = pipeline.reader.order(order_id)
        if view is not None and view != shown:
            shown = view
            yield view
            continue
        if shown is None and time.monotonic() > deadline:
            raise _unknown(order_id)
        time.sleep(_POLL_SECONDS)


def _in_short(view: Attributes) -> Iterator[str]:
    yield view["status"]
    yield from (f"{name} {view[name]}" for name in ("stock", "payment", "shipment") if name in view)
    yield from (str(view[name]) for name in ("reason", "rejection") if name in view)


def _event(record: Recorded) -> tuple[str, ...]:
    return (
        moment(record.occurred_at),
        f"{record.stream.partition('#')[0]} {record.version}",
        type(record.event).__name__,
        what_matters(record.event.model_dump(mode="json", exclude_none=True)),
    )


def _of_status(pipeline: Connection, status: str, limit: int) -> Iterator[Attributes]:
    """The orders of a status, newest first: each shard of the index is, and they are merged."""
    partitions = keys.status_partitions(pipeline.reader.generation(), status)
    shards = (_shard(pipeline, partition, limit) for partition in partitions)
    return merge(*shards, key=lambda order: order[keys.ORDERS_BY_STATUS.sk], reverse=True)


def _shard(pipeline: Connection, partition: str, limit: int) -> Iterator[Attributes]:
    pages = pipeline.store.client.get_paginator("query").paginate(
        TableName=TABLE_NAME,
        IndexName=keys.ORDERS_BY_STATUS.name,
        KeyConditionExpression=f"{keys.ORDERS_BY_STATUS.pk} = :partition",
        ExpressionAttributeValues=encode({":partition": partition}),
        ScanIndexForward=False,
        PaginationConfig={"PageSize": limit},
    )
    for page in pages:
        yield from map(decode, page["Items"])


def _when(order: Attributes) -> str:
    return keys.time_of(order[keys.ORDERS_BY_STATUS.sk])


def _listed_total(order: Attributes) -> str:
    return formatted(order["total"], order["currency"]) if "total" in order else ""
