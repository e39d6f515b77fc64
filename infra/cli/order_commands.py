"""Commands that show orders: one, its history, and those with a status."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated, get_args

import typer
from rich.live import Live

from events.currencies import formatted
from events.envelope import Recorded
from handlers.api.answers import OrderStatus, Status
from handlers.operations.saga_executions import named_after
from handlers.operations.sagas import Saga
from handlers.projections.order_fold import Attributes
from handlers.queries.orders import listed_at
from infra.cli import connection
from infra.cli.arguments import OptionalOrderId, OrderIdArgument, checked_shop
from infra.cli.command_error import CommandError
from infra.cli.connection import Connection
from infra.cli.event_summary import event_summary
from infra.cli.output import err, out, print_line, print_table, table, text
from infra.cli.pause_commands import show_pipeline
from infra.cli.text import moment

ENDED = {"CONFIRMED", "CANCELLED", "REJECTED"}
"""The statuses in which nothing more happens to an order by itself."""

_UNNAMED = ("", "")
_POLL_SECONDS = 0.3
_APPEARS_WITHIN_SECONDS = 30.0
_MOST_LISTED = 1000


def status(
    context: typer.Context,
    order_id: OptionalOrderId = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the order until it has ended.")] = False,
) -> None:
    """Show the state of an order, or of the pipeline.

    Without an id it is the pipeline's. For each function with a queue: how many messages wait there, how many are being
    processed, the age of the oldest, and whether the function is paused, since when and by whom. Then, on standard
    error, which lane orders take, and how many sagas are running.

    For the pipeline, needs lambda:ListEventSourceMappings, lambda:ListTags, sqs:GetQueueAttributes,
    cloudwatch:GetMetricData, states:ListExecutions and cloudformation:DescribeStacks.
    """
    pipeline = connection.of(context)
    if order_id is None:
        if watch:
            raise CommandError("--watch follows an order: name one", status=2)
        show_pipeline(pipeline)
        return
    order_id = pipeline.order_id(order_id)
    if watch:
        _watch(pipeline, order_id)
        return
    view = pipeline.orders.order(order_id)
    if view is None:
        raise _unknown(order_id)
    print_table(out(), _UNNAMED, _rows(view))


def history(context: typer.Context, order_id: OrderIdArgument) -> None:
    """Show all events of an order, on whatever stream.

    Then, on standard error, the executions of the order saga that are named after it. An order that the express lane
    has confirmed has none, and the executions of the lane itself are not kept.

    Needs dynamodb:Query, states:DescribeExecution and cloudformation:DescribeStacks.
    """
    pipeline = connection.of(context)
    order_id = pipeline.order_id(order_id)
    events = pipeline.orders.history(order_id)
    if not events:
        raise _unknown(order_id)
    print_table(out(), ("when", "stream", "event", "by", "summary"), [_event(record) for record in events])
    for execution in named_after(pipeline.client("stepfunctions"), pipeline.outputs["StateMachineArn"], order_id):
        began = moment(execution.started_at)
        print_line(err(), f"{Saga.ORDER} {execution.name}: {execution.status}, started {began}")


def orders(
    context: typer.Context,
    status: Annotated[
        str, typer.Option(help="PLACED, CONFIRMED, CANCELLING, CANCELLED or REJECTED.", show_default=False)
    ],
    shop: Annotated[
        str | None, typer.Option(metavar="SHOP", help="Only of this shop.", show_default="all shops")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=_MOST_LISTED, help="How many to list at most.")] = 20,
) -> None:
    """List the orders with a status, newest first."""
    pipeline = connection.of(context)
    wanted = status.upper()
    if wanted not in get_args(Status):
        raise CommandError(f"there is no status {status!r}; there is: {', '.join(get_args(Status))}", status=2)
    shops = pipeline.shops if shop is None else [checked_shop(shop, pipeline.shops)]
    found, _ = pipeline.orders.orders_of_shops(shops, [wanted], None, limit)
    if found:
        rows = [(order["order_id"], moment(listed_at(order)), _total(order)) for order in found]
        print_table(out(), ("order", "when", "total"), rows)
    else:
        print_line(err(), f"no order is {wanted}")


def _unknown(order_id: str) -> CommandError:
    return CommandError(f"there is no order {order_id}, or not yet")


def _rows(view: Attributes) -> Iterator[tuple[str, str]]:
    """What is shown of a view, with its name: the same as the API shows."""
    for name in OrderStatus.model_fields:
        if name not in view or name == "currency":
            continue
        value = view[name]
        if name == "total":
            value = _total(view)
        elif name.endswith("_at"):
            value = moment(value)
        yield "order" if name == "order_id" else name.replace("_", " "), str(value)


def _watch(pipeline: Connection, order_id: str) -> None:
    console = out()
    if not console.is_terminal:
        for view in _changes(pipeline, order_id):
            print_line(console, ", ".join(_in_short(view)))
        return
    with Live(text(f"waiting for order {order_id}"), console=console, auto_refresh=False) as live:
        for view in _changes(pipeline, order_id):
            live.update(table(_UNNAMED, _rows(view)), refresh=True)


def _changes(pipeline: Connection, order_id: str) -> Iterator[Attributes]:
    """The view of an order whenever it has changed, until the order has ended.

    Raises:
        CommandError: there is no such order, even after a while: one just submitted takes a moment.
    """
    deadline = time.monotonic() + _APPEARS_WITHIN_SECONDS
    shown: Attributes | None = None
    while shown is None or shown["status"] not in ENDED:
        view = pipeline.orders.order(order_id)
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
        _actor(record),
        event_summary(record.event.model_dump(mode="json", exclude_none=True)),
    )


def _actor(record: Recorded) -> str:
    """Who caused an event, and who redrove the message that it comes from."""
    metadata = record.metadata
    redriven = f", redriven by {metadata.redriven_by}" if metadata.redriven_by else ""
    return f"{metadata.actor.door} {metadata.actor.principal}{redriven}"


def _total(order: Attributes) -> str:
    return formatted(order["total"], order["currency"]) if "total" in order else ""
