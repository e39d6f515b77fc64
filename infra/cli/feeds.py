"""Which functions can be paused, and the feeds of those that a deployment has."""

from __future__ import annotations

from handlers.operations.pausing import Feeds, Pause
from handlers.projections.registry import PROJECTIONS
from infra.cli.command_error import CommandError
from infra.cli.connection import Connection
from infra.cli.text import moment
from infra.function_spec import TableChanges
from infra.functions import FUNCTIONS

PAUSABLE = {spec.key: spec.name for spec in FUNCTIONS if spec.queued}
"""The functions that can be paused, by their keys: what their outputs begin with."""

_FOLLOWING_THE_TABLE = {spec.key for spec in FUNCTIONS if isinstance(spec.trigger, TableChanges)}


def feeds_of(pipeline: Connection) -> Feeds:
    """What feeds the functions of a deployment that can be paused."""
    functions = {key: pipeline.outputs[f"{name}FunctionName"] for key, name in PAUSABLE.items()}
    return Feeds(pipeline.client("lambda"), functions, poll_seconds=pipeline.poll_seconds)


def pausable(function: str) -> str:
    """The function, which can be paused.

    Raises:
        CommandError: it cannot, or there is none.
    """
    if function in PAUSABLE:
        return function
    if function in PROJECTIONS:
        together = PROJECTIONS[function].function
        raise CommandError(f"{function} is updated by {together}, with all that count: name that", status=2)
    if function in _FOLLOWING_THE_TABLE:
        raise CommandError(
            f"{function} cannot be paused: it follows the table's stream, which keeps changes for 24 hours only, "
            "and what it missed would be lost",
            status=2,
        )
    known = any(spec.key == function for spec in FUNCTIONS)
    why = f"{function} has no queue of its own" if known else f"there is no function {function!r}"
    raise CommandError(f"{why}; these can be paused: {', '.join(sorted(PAUSABLE))}", status=2)


def described(pause: Pause) -> str:
    """Since when a function is paused and by whom, for people."""
    since = f"since {moment(pause.since)}" if pause.since else "since nobody knows when"
    return f"{since} by {pause.by or 'somebody who left no name'}"
