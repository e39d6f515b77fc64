"""What functions ask of DynamoDB, SQS and EventBridge, and what of it AWS would bill: the emulator says it to nobody.

As long as there is a file `usage.jsonl` in the emulator's folder, each call adds a line to it. It has the caller's ARN,
the operation, how many entries or items it had, the items that it was to write, the write units consumed, and the bytes
that were read.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

from ministack.core import iam_evaluator  # type: ignore[import-not-found]
from ministack.services import dynamodb, eventbridge, sqs  # type: ignore[import-not-found]

_FILE = "usage.jsonl"
_ROOT = ":root"


def patch() -> None:
    """Let each call be written down once somebody wants to know."""
    for service in (dynamodb, eventbridge, sqs):
        service.handle_request = _recording(service.handle_request, asks_units=service is dynamodb)


def _recording(handle: Any, *, asks_units: bool) -> Any:
    async def handle_and_record(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        caller = iam_evaluator.request_caller_arn(headers) if os.path.exists(_FILE) else _ROOT  # noqa: PTH110 - each call
        if caller.endswith(_ROOT):
            return await handle(method, path, headers, body, query)
        request = json.loads(body)
        if asks_units:
            body = json.dumps({**request, "ReturnConsumedCapacity": "TOTAL"}).encode()
        answer = await handle(method, path, headers, body, query)
        operation = headers["x-amz-target"].rpartition(".")[2]
        line = {"caller": caller, "operation": operation, "entries": len(request.get("Entries", []))}
        if asks_units:
            line |= _units(operation, request, json.loads(answer[2]))
        with open(_FILE, "a", encoding="utf-8") as file:  # noqa: PTH123 - as above
            file.write(json.dumps(line) + "\n")
        return answer

    return handle_and_record


def _units(operation: str, request: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    if operation in {"Query", "GetItem"}:
        found = response.get("Items", []) if operation == "Query" else [response.get("Item", {})]
        return {"read_bytes": sum(map(_item_bytes, found))}
    # What failed consumed one unit, and does not say of which table.
    consumed = response.get("ConsumedCapacity", {"TableName": request.get("TableName"), "CapacityUnits": 1})
    tables = consumed if isinstance(consumed, list) else [consumed]
    return {
        "written": list(_written(request)),
        "consumed": [(each["TableName"], each["CapacityUnits"]) for each in tables],
    }


def _written(request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The table and the partition key of each item that a request writes or checks."""
    actions = (action for item in request.get("TransactItems", []) for action in item.values())
    for action in actions if "TransactItems" in request else (request,):
        if "TableName" in action:
            yield action["TableName"], action.get("Item", action.get("Key", {}))["PK"]["S"]


def _item_bytes(item: dict[str, dict[str, str]]) -> int:
    return sum(len(name) + len(next(iter(value.values())).encode()) for name, value in item.items())
