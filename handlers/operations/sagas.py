"""The sagas' executions: for which orders they are running, and starting one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

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
        machines: the ARN of each saga's state machine, which has all executions.
        live: the ARN of each alias, which starts the version that is deployed.
    """

    def __init__(self, client: SFNClient, machines: Mapping[Saga, str], live: Mapping[Saga, str]) -> None:
        self._client = client
        self._machines = machines
        self._live = live

    def running(self) -> frozenset[str]:
        """The ids of the orders that have a saga running. It takes a call for each execution, which has its input."""
        pages = self._client.get_paginator("list_executions")
        return frozenset(
            _order_id(self._client.describe_execution(executionArn=execution["executionArn"]))
            for machine in self._machines.values()
            for page in pages.paginate(stateMachineArn=machine, statusFilter="RUNNING")
            for execution in page["executions"]
        )

    def start(self, saga: Saga, order_id: str) -> None:
        """Start a saga for an order. One that is running already, or has run, changes nothing."""
        self._client.start_execution(stateMachineArn=self._live[saga], input=json.dumps({"order_id": order_id}))


def name_of_resumed(order_id: str, number: int) -> str:
    """The name of an execution that a person starts for an order: ``<order>-<number>``, where the first has 1.

    An order may have such an id itself. So the number has as many zeros as make the name longer than any id.
    """
    return f"{order_id}-{str(number).zfill(LONGEST_ORDER_ID - len(order_id))}"


def _order_id(execution: Any) -> str:
    return str(json.loads(execution["input"])["order_id"])
