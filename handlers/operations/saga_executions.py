"""The executions of the sagas, for people to look at. Those of the express lane are not among them: AWS lists none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain, count
from typing import TYPE_CHECKING, NamedTuple

from handlers.operations.sagas import name_of_resumed

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class SagaExecution(NamedTuple):
    """An execution: its name, its status as Step Functions has it, and when it was started."""

    name: str
    status: str
    started_at: datetime


def running(client: SFNClient, machine: str) -> int:
    """How many executions of a state machine are running.

    Raises:
        ClientError: Step Functions refuses.
    """
    pages = client.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter="RUNNING")
    return sum(len(page["executions"]) for page in pages)


def named_after(client: SFNClient, machine: str, order_id: str) -> Iterator[SagaExecution]:
    """The executions of a state machine that are named after an order: who hands over starts one, and who resumes it.

    Raises:
        ClientError: Step Functions refuses.
    """
    prefix = machine.replace(":stateMachine:", ":execution:")
    resumed = (name_of_resumed(order_id, number) for number in count(1))
    for name in chain([order_id], resumed):
        try:
            found = client.describe_execution(executionArn=f"{prefix}:{name}")
        except client.exceptions.ExecutionDoesNotExist:
            if name == order_id:
                continue
            return
        yield SagaExecution(name, found["status"], found["startDate"])
