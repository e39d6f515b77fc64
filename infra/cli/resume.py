"""Starting the saga of an order that stands still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import connection
from infra.cli.arguments import checked
from infra.cli.output import err, out, tell
from infra.cli.sagas import Sagas

if TYPE_CHECKING:
    from handlers.operations.audit.evidence import Evidence
    from handlers.table.event_store import EventStore


def resume(
    context: typer.Context,
    order_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The ids of the orders.", show_default=False)],
) -> None:
    """Start the saga of orders that stand still: the one that ends them, or the one that answers a request to cancel.

    An order that has ended, or whose saga runs, is named and left alone, and the exit code is 1.

    Needs dynamodb:Query, states:ListExecutions, states:DescribeExecution, states:StartExecution and
    cloudformation:DescribeStacks.
    """
    from handlers.operations.doctor.stalled_orders import due  # noqa: PLC0415 - see the package

    pipeline = connection.of(context)
    wanted = {checked(order_id, "order id"): None for order_id in order_ids}
    sagas = Sagas(pipeline)
    running = sagas.running()
    refused = False
    for order_id in wanted:
        evidence = _evidence(pipeline.store, order_id)
        saga = due(evidence, order_id)
        if saga is not None and order_id not in running:
            sagas.start(saga, order_id)
            tell(out(), f"started the {saga} of order {order_id}")
            continue
        refused = True
        if order_id not in evidence.orders:
            tell(err(), f"there is no order {order_id}")
        elif saga is None:
            tell(err(), f"order {order_id} has ended")
        else:
            tell(err(), f"a saga of order {order_id} runs")
    if refused:
        raise typer.Exit(1)


def _evidence(store: EventStore, order_id: str) -> Evidence:
    """What the log has of where an order stands, and of what was asked."""
    from events import streams  # noqa: PLC0415 - see the package
    from handlers.operations.audit.evidence import Evidence  # noqa: PLC0415
    from handlers.operations.audit.table import Table  # noqa: PLC0415

    of_order = (streams.order(order_id), streams.cancellation(order_id))
    records = (record for stream in of_order for record in store.read(stream))
    return Evidence(Table({(record.stream, record.version): record for record in records}))
