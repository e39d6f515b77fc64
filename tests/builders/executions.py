"""Step Functions for the command line: with one execution, as it follows it; and the sagas in moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from unittest.mock import patch

from infra.cli.connection import Connection
from tests.builders.commands import loader

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:Operation"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:Operation:1"
Event = dict[str, Any]


@dataclass
class Machine:
    """Step Functions with one execution: each look at its history shows another batch of events."""

    batches: list[list[Event]]
    started: list[dict[str, Any]] = field(default_factory=list)
    history: list[Event] = field(default_factory=list)
    read: int = 0

    def start_execution(self, *, stateMachineArn: str, input: str) -> dict[str, str]:  # noqa: A002, N803 - as botocore has it
        assert stateMachineArn == MACHINE
        self.started.append(json.loads(input))
        return {"executionArn": EXECUTION}

    def get_paginator(self, operation: str) -> Machine:
        assert operation == "get_execution_history"
        return self

    def paginate(self, *, executionArn: str, reverseOrder: bool, PaginationConfig: Any) -> Iterator[Any]:  # noqa: N803
        assert (executionArn, reverseOrder) == (EXECUTION, True)
        if not self.batches:
            raise AssertionError("it looks for more than there is")
        for event in self.batches.pop(0):
            self.history.append({"id": len(self.history) + 1, **event})
        newest = iter(self.history[::-1])
        while page := list(islice(newest, 2)):
            self.read += len(page)
            yield {"events": page}


def sagas() -> Any:
    """A client of moto's Step Functions, in which both sagas are; their executions run without end."""
    with patch("botocore.session.create_loader", loader):
        client: Any = Connection(region="us-east-1").client("stepfunctions")
    for name in ("OrderSaga", "OrderCancellation"):
        client.create_state_machine(name=name, definition="{}", roleArn="arn:aws:iam::123456789012:role/saga")
    return client


def failed(error: str, message: str) -> Event:
    cause = json.dumps({"errorType": error, "errorMessage": message, "stackTrace": ["line"]})
    return {"type": "ExecutionFailed", "executionFailedEventDetails": {"error": error, "cause": cause}}
