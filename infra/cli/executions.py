"""Following an execution of a state machine by its history."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_FAILURES = {
    "ExecutionFailed": "executionFailedEventDetails",
    "ExecutionTimedOut": "executionTimedOutEventDetails",
    "ExecutionAborted": "executionAbortedEventDetails",
}
_ENDS = {*_FAILURES, "ExecutionSucceeded"}
_PAGE = 100


def happened(client: SFNClient, execution: str, poll_seconds: float) -> Iterator[Mapping[str, Any]]:
    """The events of an execution's history, as they come, until it has ended."""
    seen = 0
    while True:
        for event in reversed(list(_newer(client, execution, seen))):
            yield event
            seen = event["id"]
            if event["type"] in _ENDS:
                return
        time.sleep(poll_seconds)


def failure(event: Mapping[str, Any]) -> str | None:
    """Why the execution failed, if that is what the event says."""
    kind: str = event["type"]
    if kind not in _FAILURES:
        return None
    details = event.get(_FAILURES[kind], {})
    return f"{details.get('error') or kind}: {_cause(details.get('cause', ''))}".rstrip(": ")


def _newer(client: SFNClient, execution: str, seen: int) -> Iterator[Mapping[str, Any]]:
    """The events after one, the newest first, so that no more is read than is new."""
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=execution, reverseOrder=True, PaginationConfig={"PageSize": _PAGE}
    )
    for page in pages:
        for event in page["events"]:
            if event["id"] <= seen:
                return
            yield event


def _cause(text: str) -> str:
    """The message in what a function failed with, if it is that."""
    try:
        cause = json.loads(text)
    except ValueError:
        return text
    return str(cause.get("errorMessage", text)) if isinstance(cause, dict) else text
