"""Commands that repair something: republish, resume, recount. What each does is in `handlers.operations`."""

from __future__ import annotations

from typing import Annotated

import typer

from handlers.operations.recount import Recounted
from handlers.operations.recount import recount as recount_levels
from handlers.operations.republish import republish as republish_streams
from handlers.operations.resume import Outcome
from handlers.operations.resume import resume as resume_orders
from infra.cli import connection
from infra.cli.arguments import checked
from infra.cli.command_error import CommandError
from infra.cli.output import err, out, print_line

_NOT_STARTED = {
    Outcome.RUNNING: "order {} has a saga running",
    Outcome.ENDED: "order {} has ended",
    Outcome.UNKNOWN: "there is no order {}",
}


def republish(
    context: typer.Context,
    streams: Annotated[
        list[str],
        typer.Argument(
            metavar="STREAM...",
            help="The streams, such as order#demo.by-hand-1 or payment#demo.by-hand-1.",
            show_default=False,
        ),
    ],
    version: Annotated[
        int | None, typer.Option(min=1, help="Only the event of that version, of the one stream.", show_default=False)
    ] = None,
) -> None:
    """Publish the events of streams once more.

    They are read from the log and published in order. Subscribers that had them before do nothing twice. What can never
    be published goes to the outbox's dead-letter queue.

    Needs dynamodb:Query, lambda:InvokeFunction on the outbox and cloudformation:DescribeStacks.
    """
    if version is not None and len(streams) > 1:
        raise CommandError("--version is of one stream", status=2)
    pipeline = connection.of(context)
    outbox = pipeline.outputs["OutboxFunctionArn"]
    for done in republish_streams(pipeline.store, pipeline.client("lambda"), outbox, streams, version):
        print_line(out(), f"published {done.events} of {done.stream}")


def resume(
    context: typer.Context,
    order_ids: Annotated[
        list[str],
        typer.Argument(
            metavar="ID...",
            help="The ids of the orders, as demo.by-hand-1; where there is one shop, by-hand-1.",
            show_default=False,
        ),
    ],
) -> None:
    """Start the saga of orders that are stalled.

    It is the saga that ends the order, or the one that answers a request to cancel it. An order that has ended, or that
    has a saga running, is named and left alone, and the exit status is 1.

    Needs dynamodb:Query, states:ListExecutions, states:DescribeExecution, states:StartExecution and
    cloudformation:DescribeStacks.
    """
    pipeline = connection.of(context)
    wanted = {pipeline.order_id(order_id): None for order_id in order_ids}
    left_alone = False
    for order_id, outcome, saga in resume_orders(pipeline.store, pipeline.sagas, wanted):
        if outcome is Outcome.STARTED:
            print_line(out(), f"started the {saga} of order {order_id}")
        else:
            left_alone = True
            print_line(err(), _NOT_STARTED[outcome].format(order_id))
    if left_alone:
        raise typer.Exit(1)


def recount(
    context: typer.Context,
    skus: Annotated[
        list[str], typer.Argument(metavar="SKU...", help="The SKUs whose levels to set.", show_default=False)
    ],
) -> None:
    """Set stock levels to what the log says.

    That is what was received, less what is reserved. The whole log is read once. A level that changes meanwhile is left
    as it is, and the exit status is 1. A level that is gone is created again, with the usual threshold until a delivery
    sets another.

    Needs dynamodb:GetItem, dynamodb:Scan and dynamodb:UpdateItem.
    """
    store = connection.of(context).store
    wanted = {checked(sku, "SKU"): None for sku in skus}
    for each in recount_levels(store, wanted):
        print_line(out(), f"{each.sku}: {_recounted(each)}")


def _recounted(level: Recounted) -> str:
    if level.before == level.now:
        return f"{level.now.available} are available, as the log says"
    was = f"{level.before.available} after {level.before.version} changes" if level.before else "no level"
    return f"was {was}, is {level.now.available} after {level.now.version}"
