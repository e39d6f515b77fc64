"""The command that shows events as they cross the orders bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from events.catalog import DOMAIN_EVENTS
from handlers.operations.temporary_queue import temporary_queue
from infra.cli import connection
from infra.cli.command_error import CommandError
from infra.cli.event_summary import event_summary
from infra.cli.output import err, out, print_line, print_row
from infra.cli.text import moment
from infra.signals import leaving_undisturbed

PREFIX = "pipeline-tail-"
"""What the names of the queues and rules begin with that a tail makes for itself."""


def tail(
    context: typer.Context,
    types: Annotated[
        list[str] | None, typer.Option("--type", metavar="EVENT", help="Only events of that type; may be repeated.")
    ] = None,
    order: Annotated[str | None, typer.Option(metavar="ID", help="Only events of that order.")] = None,
) -> None:
    """Show events as they happen, until Ctrl-C."""
    pipeline = connection.of(context)
    wanted = pattern(types or [], None if order is None else pipeline.order_id(order))
    console = out()
    bus = pipeline.outputs["OrdersBusName"]
    block = temporary_queue(pipeline.client("events"), pipeline.client("sqs"), bus, PREFIX, wanted)
    with leaving_undisturbed(block) as queue:
        print_line(err(), f"listening on the bus {bus}; Ctrl-C ends")
        for event in queue.events():
            print_row(console, _row(event))


def pattern(types: list[str], order: str | None) -> dict[str, Any]:
    """The EventBridge pattern of the events wanted; never one that is replayed.

    Raises:
        CommandError: there is no such type.
    """
    wanted: dict[str, Any] = {"source": [{"prefix": "orders."}], "replay-name": [{"exists": False}]}
    if unknown := [each for each in types if each not in DOMAIN_EVENTS]:
        there_is = ", ".join(sorted(DOMAIN_EVENTS))
        raise CommandError(f"there is no event {', '.join(unknown)}; there is: {there_is}", status=2)
    if types:
        wanted["detail-type"] = types
    if order is not None:
        wanted["detail"] = {"data": {"order_id": [order]}}
    return wanted


def _row(event: Mapping[str, Any]) -> tuple[str, ...]:
    metadata, data = event["detail"]["metadata"], event["detail"]["data"]
    return (
        moment(metadata["occurred_at"]),
        f"{metadata['stream']} {metadata['version']}",
        event["detail-type"],
        event_summary(data),
    )
