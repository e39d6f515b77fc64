"""The sagas as they run: for which orders, and starting one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handlers.operations.doctor.stalled_orders import Saga
    from infra.cli.connection import Connection


class Sagas:
    """The state machines of one deployment."""

    def __init__(self, pipeline: Connection) -> None:
        from handlers.operations.doctor.stalled_orders import Saga  # noqa: PLC0415 - see the package

        self._client = pipeline.client("stepfunctions")
        self._machines = {
            Saga.ORDER: pipeline.outputs["StateMachineArn"],
            Saga.CANCELLATION: pipeline.outputs["CancellationStateMachineArn"],
        }

    def running(self) -> frozenset[str]:
        """The ids of the orders that have a saga running. Asks for each execution's input: one call for each."""
        pages = self._client.get_paginator("list_executions")
        return frozenset(
            _order_id(self._client.describe_execution(executionArn=execution["executionArn"]))
            for machine in self._machines.values()
            for page in pages.paginate(stateMachineArn=machine, statusFilter="RUNNING")
            for execution in page["executions"]
        )

    def start(self, saga: Saga, order_id: str) -> None:
        """Start a saga for an order. One that runs already, or has run, changes nothing."""
        self._client.start_execution(stateMachineArn=self._machines[saga], input=json.dumps({"order_id": order_id}))


def _order_id(execution: Any) -> str:
    return str(json.loads(execution["input"])["order_id"])
