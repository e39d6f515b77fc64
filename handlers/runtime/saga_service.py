"""What the saga's services have in common: a command comes in by name, a refusal goes out as its exception."""

from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.utilities.parser import parse

from events.model import Model, OrderId
from handlers.runtime.observability import Handler, about, count, logger, observed


class Command(Model):
    """What a task of the state machine sends. ``refusal`` is the error that made the saga turn back."""

    command: str
    order_id: OrderId
    refusal: str | None = None


Commands = Mapping[str, Callable[[Command], object]]


def service(commands: Commands, compensations: Commands | None = None) -> Handler:
    """The entry point of a service: runs the command named by the task. Compensations are counted.

    Raises what the command raises: its refusals, which the state machine catches by name, and
    :class:`handlers.retry_policy.Retryable` errors, which it retries. Anything else is a bug and fails the execution.
    """

    undoing = compensations or {}
    known = {**commands, **undoing}

    def handler(event: dict[str, Any], _context: Any) -> None:
        command = parse(event=event, model=Command)
        with about(command.order_id, command.command):
            try:
                known[command.command](command)
            except Exception as refusal:
                logger.info(
                    "command refused", command=command.command, refusal=type(refusal).__name__, because=str(refusal)
                )
                raise
            if command.command in undoing:
                count("Compensations", step=command.command)

    return observed(handler)
