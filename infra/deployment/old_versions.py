"""Versions of state machines that no execution can need any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

KEPT = timedelta(days=14)
"""A failed execution can be redriven for that long. Source: Step Functions Developer Guide, "Redriving executions"."""


class Version(NamedTuple):
    """A version of a state machine."""

    arn: str
    published_at: datetime


def replaced_long_ago(versions: Sequence[Version], now: datetime) -> Iterator[Version]:
    """Of the versions of one state machine, those that another one replaced longer ago than they are kept. Pure."""
    in_order = sorted(versions, key=lambda version: version.published_at)
    for version, next_one in pairwise(in_order):
        if now - next_one.published_at > KEPT:
            yield version


def delete_old_versions(client: Callable[[str], Any], stack: str, now: datetime) -> list[str]:
    """Delete such versions of the state machines of a stack; returns their ARNs.

    Raises:
        ClientError: Step Functions refuses.
    """
    states, cloudformation = client("stepfunctions"), client("cloudformation")
    deleted = []
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] == "AWS::StepFunctions::StateMachine":
                for version in replaced_long_ago(_versions(states, resource["PhysicalResourceId"]), now):
                    states.delete_state_machine_version(stateMachineVersionArn=version.arn)
                    deleted.append(version.arn)
    return deleted


def _versions(states: Any, machine: str) -> list[Version]:
    found: list[Version] = []
    token: dict[str, str] = {}
    while True:
        answer = states.list_state_machine_versions(stateMachineArn=machine, **token)
        found += [
            Version(each["stateMachineVersionArn"], each["creationDate"]) for each in answer["stateMachineVersions"]
        ]
        if "nextToken" not in answer:
            return found
        token = {"nextToken": answer["nextToken"]}
