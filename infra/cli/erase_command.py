"""The command that erases everything personal about a customer or an order, and follows that."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from infra import retention
from infra.cli import connection
from infra.cli.command_error import CommandError
from infra.cli.executions import failure, happened
from infra.cli.output import err, out, print_line, print_table
from infra.signals import Ended

_LEFT = {
    "files that were dropped": retention.FILES,
    "dead-letter messages of which nobody can tell whose they are": retention.DEAD_LETTERS,
    "messages in queues, and 30 days more where one becomes a dead-letter message": retention.QUEUES,
    "errors that the API logged": retention.API_ERRORS,
    "backups of the tables": retention.BACKUPS,
}
"""What an erasure does not reach, and for how long it is there."""


def erase(
    context: typer.Context,
    *,
    customer: Annotated[
        str | None, typer.Option(metavar="ID", help="The customer, as demo.17; where there is one shop, 17.")
    ] = None,
    order: Annotated[
        str | None, typer.Option(metavar="ID", help="The order, such as a guest's, as demo.by-hand-1.")
    ] = None,
    from_ledger: Annotated[
        bool, typer.Option("--from-ledger", help="Everybody who was ever erased: after a table was restored.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")] = False,
) -> None:
    """Erase everything personal about a customer or an order.

    It goes from the vault, and with it payment tokens and dead-letter messages. Events, views and history stay, and
    name nobody. An order under way is erased once it has ended: that is waited for, also when this command ends. Doing
    it again changes nothing.

    Needs states:StartExecution and states:GetExecutionHistory on the erasure, and cloudformation:DescribeStacks.
    """
    if [customer is not None, order is not None, from_ledger].count(True) != 1:
        raise CommandError("say who: --customer, --order or --from-ledger", status=2)
    pipeline = connection.of(context)
    whom: dict[str, Any] = {"from_ledger": True}
    if customer is not None:
        whom = {"customer_id": pipeline.customer_id(customer)}
    elif order is not None:
        whom = {"order_id": pipeline.order_id(order)}
    machine = pipeline.outputs.get("ErasureStateMachineArn")
    if machine is None:
        raise CommandError("what is deployed there cannot erase: deploy this version first")
    client = pipeline.client("stepfunctions")
    wanted = {**whom, "dry_run": dry_run, "operator": pipeline.operator}
    execution = client.start_execution(stateMachineArn=machine, input=json.dumps(wanted))["executionArn"]
    progress: Mapping[str, Any] = {}
    try:
        for progress in _progress(happened(client, execution, pipeline.poll_seconds)):
            if progress["waits"]:
                print_line(err(), f"waiting for orders under way: {_under_way(progress)}")
    except Ended:
        print_line(err(), f"it continues by itself; its execution: {execution}")
        raise
    print_table(out(), ("", ""), _found(progress))
    if dry_run:
        print_line(err(), "nothing was changed")
    elif not from_ledger:
        print_table(out(), ("", ""), _left(datetime.now(UTC)))


def _progress(history: Iterator[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """How far the erasure is, each time that it gets further.

    Raises:
        CommandError: the execution failed.
    """
    before: Mapping[str, Any] = {}
    for event in history:
        if reason := failure(event):
            raise CommandError(f"failed: {reason}; the same command goes on with it")
        if event["type"] == "TaskStateExited":
            progress = json.loads(event["stateExitedEventDetails"]["output"])
            if {**progress, "wait_seconds": 0} != before:
                yield progress
            before = {**progress, "wait_seconds": 0}


def _under_way(progress: Mapping[str, Any]) -> str:
    return ", ".join(f"{each['order_id']} ({each['under_way']})" for each in progress["under_way"])


def _found(progress: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was erased, or would be."""
    found = progress["found"]
    yield "orders", str(found["orders"])
    yield "payment tokens", str(found["payment_tokens"])
    if progress["from_ledger"]:
        return
    yield "dead-letter messages", str(found["dead_letters"])
    yield "dead-letter messages that may be anybody's", f"{found['unattributed']}, left"
    if progress["under_way"]:
        yield "orders under way", _under_way(progress)


def _left(now: datetime) -> Iterator[tuple[str, str]]:
    """What an erasure does not reach, and until when it may be there."""
    for what, kept in _LEFT.items():
        yield f"left until {now + kept:%Y-%m-%d}", what
