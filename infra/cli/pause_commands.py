"""Commands that pause functions and feed them again, and what is shown of the pipeline as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from handlers.operations.backlog import Backlog, backlogs
from handlers.operations.pausing import Pause
from handlers.operations.saga_executions import running
from handlers.projections.registry import PROJECTIONS
from infra.cli import connection
from infra.cli.connection import Connection
from infra.cli.feeds import PAUSABLE, described, feeds_of, pausable
from infra.cli.output import err, out, print_line, print_table
from infra.retention import QUEUES

Function = Annotated[
    str, typer.Argument(metavar="NAME", help="The function: order_intake, order_emails ...", show_default=False)
]


def pause(context: typer.Context, name: Function) -> None:
    """Let the messages of a function wait in their queue.

    What it has received already, it ends. A message waits for 14 days at most; alarms ring when messages wait, and when
    a pause lasts. Pausing twice changes nothing. A deployment leaves a pause as it is, unless it changes what feeds the
    function.

    Needs lambda:ListEventSourceMappings, lambda:UpdateEventSourceMapping, lambda:ListTags, lambda:TagResource,
    dynamodb:GetItem for a projection, and cloudformation:DescribeStacks.
    """
    pipeline, function = connection.of(context), pausable(name)
    was = feeds_of(pipeline).pause(function, operator=pipeline.operator, now=datetime.now(UTC))
    if was:
        print_line(out(), f"{function} is paused already, {described(was)}")
        return
    print_line(out(), f"paused {function}: its messages wait, for {QUEUES.days} days at most")
    for projection in _being_rebuilt(pipeline, function):
        print_line(err(), f"{projection} is being rebuilt: that may fail, and can be continued after the pause")
    print_line(err(), f"to feed it again: {pipeline.command('unpause', function)}")


def unpause(context: typer.Context, name: Function) -> None:
    """Feed a paused function again.

    It begins with what waits.

    Needs lambda:ListEventSourceMappings, lambda:UpdateEventSourceMapping, lambda:ListTags, lambda:UntagResource and
    cloudformation:DescribeStacks.
    """
    pipeline, function = connection.of(context), pausable(name)
    was = feeds_of(pipeline).unpause(function)
    print_line(out(), f"unpaused {function}: it was paused {described(was)}" if was else f"{function} is not paused")


def show_pipeline(pipeline: Connection) -> None:
    """Print what is paused, what waits in front of each function, and what is under way in sagas."""
    paused = feeds_of(pipeline).paused()
    queues = {key: pipeline.outputs[f"{name}QueueUrl"] for key, name in PAUSABLE.items()}
    found = backlogs(pipeline.client("sqs"), pipeline.client("cloudwatch"), queues, now=datetime.now(UTC))
    print_table(
        out(),
        ("function", "waiting", "processed", "oldest", "paused"),
        [(key, *_row(found[key], paused.get(key))) for key in sorted(found)],
    )
    orders, cancellations = (
        running(pipeline.client("stepfunctions"), pipeline.outputs[name])
        for name in ("StateMachineArn", "CancellationStateMachineArn")
    )
    lane = pipeline.outputs["Lane"]
    unseen = " (its executions cannot be listed)" if lane == "express" else ""
    print_line(
        err(), f"orders take the {lane} lane{unseen}; order sagas running: {orders}, cancellations: {cancellations}"
    )


def _being_rebuilt(pipeline: Connection, function: str) -> Iterator[str]:
    """The projections that a function keeps and that are being rebuilt."""
    for name, definition in PROJECTIONS.items():
        if definition.function == function and pipeline.generations.read(name).building:
            yield name


def _row(backlog: Backlog, pause: Pause | None) -> Iterator[str]:
    yield str(backlog.waiting)
    yield str(backlog.processed)
    yield "" if backlog.oldest is None else _age(backlog.oldest)
    yield f"paused {described(pause)}" if pause else ""


def _age(age: timedelta) -> str:
    """An age in its two largest units: 3d 4h, 12m 5s."""
    minutes, seconds = divmod(int(age.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [f"{value}{unit}" for value, unit in ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))]
    first = next((index for index, unit in enumerate(units) if unit[:-1] != "0"), len(units) - 1)
    return " ".join(units[first : first + 2])
