"""The sagas' executions: what they are called, for which orders they are running, and starting one.

Of a state machine, one execution has a name, for as long as Step Functions keeps it: 90 days from its end. What nobody
started by hand has the order's id. So whoever starts it besides starts nothing, and one that failed, by a bug of ours,
stays as it is until a person redrives it, or starts another, whose name is longer than any order's id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from handlers.retry_policy import classified

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


LONGEST_ORDER_ID = 64
"""A shop's slug, a dot, and the shop's own id: see `events.model`."""


class Saga(StrEnum):
    """The sagas, by what they do, for people."""

    ORDER = "order saga"
    CANCELLATION = "cancellation saga"


class Sagas:
    """The state machines of one deployment.

    Args:
        client: a Step Functions client.
        live: the ARN of each alias, which starts the version that is deployed.
        machines: the ARN of each saga's state machine, which has its executions. To start some takes none.
    """

    def __init__(self, client: SFNClient, live: Mapping[Saga, str], machines: Mapping[Saga, str] | None = None) -> None:
        self._client = client
        self._live = live
        self._machines = machines or {}

    def running(self) -> frozenset[str]:
        """The ids of the orders that have a saga running. It takes a call for each execution, which has its input."""
        pages = self._client.get_paginator("list_executions")
        return frozenset(
            _order_id(self._client.describe_execution(executionArn=execution["executionArn"]))
            for machine in self._machines.values()
            for page in pages.paginate(stateMachineArn=machine, statusFilter="RUNNING")
            for execution in page["executions"]
        )

    def start(self, saga: Saga, order_id: str, name: str) -> datetime | None:
        """Start a saga for an order under a name; an execution that has it already is left as it is.

        Returns when it began: some time ago if it was running already. None where an execution of that name has ended.

        Raises:
            Retryable: try again.
            ClientError: Step Functions refuses.
        """
        request = json.dumps({"order_id": order_id})
        try:
            with classified():
                started = self._client.start_execution(stateMachineArn=self._live[saga], name=name, input=request)
        except self._client.exceptions.ExecutionAlreadyExists:
            return None
        return started["startDate"]


def name_of_resumed(order_id: str, number: int) -> str:
    """The name of an execution that a person starts for an order: ``<order>-<number>``, where the first has 1.

    An order may have such an id itself. So the number has as many zeros as make the name longer than any id.
    """
    return f"{order_id}-{str(number).zfill(LONGEST_ORDER_ID - len(order_id))}"


def _order_id(execution: Any) -> str:
    return str(json.loads(execution["input"])["order_id"])
