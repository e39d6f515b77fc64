"""DynamoDB in this process's memory, for as much of it as projections and their rebuild use.

moto copies a whole table for every transaction, knows no segments of a scan, and takes milliseconds for a call, so
hundreds of runs are out of its reach. How it works: a tap on the wire answers the functions' calls of DynamoDB.

Its limits: it knows the requests that projections and the rebuild make, and refuses others. It neither validates a
request nor limits sizes. tests/unit/test_memory.py holds it to moto.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from zlib import crc32

from tests.engines.in_process import WIRE
from tests.engines.wire import Answer, Call

Item = dict[str, Any]
Key = tuple[str, str]

_CHECK = re.compile(r"\(?(?:attribute_not_exists\((?P<absent>\w+)\)|(?P<name>\w+) (?P<sign>[=<]) (?P<value>:\w+))\)?")


class Unknown(Exception):
    """A request of which this knows nothing."""


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.answer = {"Error": {"Code": code, "Message": code}, **more}


class Memory:
    """A table. ``page`` is how many items a page of a scan or a query has at most.

    ``on_call`` is called with each operation and its request, before it is done; what it raises, the caller gets, as an
    answer where it is :class:`Refused`.
    ``done`` is called after it.
    """

    def __init__(self, page: int = 1_000_000) -> None:
        self.items: dict[Key, Item] = {}
        self.page = page
        self.on_call: Callable[[str, Mapping[str, Any]], None] = lambda _operation, _request: None
        self.done: Callable[[str], None] = lambda _operation: None

    @contextmanager
    def serving(self) -> Iterator[Memory]:
        """The functions' calls of DynamoDB are answered here for the time of the block."""
        with WIRE.tapped(self):
            yield self

    def put(self, items: Iterable[Item]) -> None:
        """Have these items too."""
        self.items |= {_key(item): item for item in items}

    def under(self, prefix: str) -> dict[Key, Item]:
        """The items whose partition keys begin like that."""
        return {key: item for key, item in self.items.items() if key[0].startswith(prefix)}

    def before(self, call: Call) -> Answer | None:
        """The answer to a call of DynamoDB; None for a call of another service."""
        if call.service != "dynamodb":
            return None
        answer_to = getattr(self, f"_{call.operation}", None)
        if answer_to is None:
            raise Unknown(call.operation)
        request = json.loads(json.dumps(call.parameters))  # what is kept here is not what the caller goes on to change
        try:
            self.on_call(call.operation, request)
            answer = answer_to(**request)
        except Refused as refused:
            return Answer(refused.answer)
        self.done(call.operation)
        return Answer(answer)

    def after(self, call: Call, answer: Answer) -> None:
        """Other services answer for themselves."""

    def _GetItem(self, Key: Item, **_: Any) -> Item:  # noqa: N802, N803
        found = self.items.get(_key(Key))
        return {"Item": found} if found else {}

    def _PutItem(self, **request: Any) -> Item:  # noqa: N802
        self._write("Put", request)
        return {}

    def _UpdateItem(self, **request: Any) -> Item:  # noqa: N802
        self._write("Update", request)
        return {}

    def _TransactWriteItems(self, TransactItems: list[Item], **_: Any) -> Item:  # noqa: N802, N803
        actions = [next(iter(each.items())) for each in TransactItems]
        keys = [_key(request.get("Key") or request["Item"]) for _, request in actions]
        if len(keys) != len(set(keys)) or len(keys) > 100:
            raise Refused("ValidationException")
        reasons = [
            {"Code": "None"} if _holds(before, request) else {"Code": "ConditionalCheckFailed", **_old(before, request)}
            for before, (_, request) in zip((self.items.get(key, {}) for key in keys), actions, strict=True)
        ]
        if any(reason["Code"] != "None" for reason in reasons):
            raise Refused("TransactionCanceledException", CancellationReasons=reasons)
        for kind, request in actions:
            self._write(kind, request)
        return {}

    def _BatchGetItem(self, RequestItems: Item) -> Item:  # noqa: N802, N803
        [(table, wanted)] = RequestItems.items()
        keys = [_key(key) for key in wanted["Keys"]]
        if len(keys) != len(set(keys)) or len(keys) > 100:
            raise Refused("ValidationException")
        return {"Responses": {table: [self.items[key] for key in keys if key in self.items]}, "UnprocessedKeys": {}}

    def _BatchWriteItem(self, RequestItems: Item) -> Item:  # noqa: N802, N803
        [(_, requests)] = RequestItems.items()
        if len(requests) > 25:
            raise Refused("ValidationException")
        for request in requests:
            [(kind, content)] = request.items()
            if kind != "DeleteRequest":
                raise Unknown(kind)
            self.items.pop(_key(content["Key"]), None)
        return {"UnprocessedItems": {}}

    def _Query(self, ExpressionAttributeValues: Item, **request: Any) -> Item:  # noqa: N802, N803
        if request["KeyConditionExpression"] != "PK = :stream AND SK > :after":
            raise Unknown(request["KeyConditionExpression"])
        stream, after = (ExpressionAttributeValues[name]["S"] for name in (":stream", ":after"))
        return self._page((key for key in self.items if key[0] == stream and key[1] > after), **request)

    def _Scan(self, Segment: int = 0, TotalSegments: int = 1, **request: Any) -> Item:  # noqa: N802, N803
        keys = (key for key in self.items if crc32(key[0].encode()) % TotalSegments == Segment)
        answer = self._page(keys, **request)
        if "FilterExpression" in request:
            if request["FilterExpression"] != "begins_with(SK, :event)":
                raise Unknown(request["FilterExpression"])
            prefix = request["ExpressionAttributeValues"][":event"]["S"]
            answer["Items"] = [item for item in answer["Items"] if item["SK"]["S"].startswith(prefix)]
        if "ProjectionExpression" in request:
            names = request["ProjectionExpression"].split(", ")
            answer["Items"] = [{name: item[name] for name in names} for item in answer["Items"]]
        return answer

    def _page(self, keys: Iterable[Key], ExclusiveStartKey: Item | None = None, **_: Any) -> Item:  # noqa: N803
        start = _key(ExclusiveStartKey) if ExclusiveStartKey else ("", "")
        # In the order of a hash of the partition, as DynamoDB has it, and within it by sort key.
        ordered = sorted((_place(key), key) for key in keys)
        left = [key for place, key in ordered if start == ("", "") or place > _place(start)]
        answer: Item = {"Items": [self.items[key] for key in left[: self.page]]}
        if len(left) > self.page:
            partition, sort_key = left[self.page - 1]
            answer["LastEvaluatedKey"] = {"PK": {"S": partition}, "SK": {"S": sort_key}}
        return answer

    def _write(self, kind: str, request: Mapping[str, Any]) -> None:
        key = _key(request.get("Key") or request["Item"])
        before = self.items.get(key, {})
        if not _holds(before, request):
            raise Refused("ConditionalCheckFailedException", **_old(before, request))
        if kind == "Put":
            self.items[key] = request["Item"]
        elif kind == "Update":
            self.items[key] = {**before, **request["Key"], **_changes(before, request)}
        else:
            raise Unknown(kind)


def _key(item: Mapping[str, Any]) -> Key:
    return item["PK"]["S"], item["SK"]["S"]


def _place(key: Key) -> tuple[int, str, str]:
    return crc32(key[0].encode()), *key


def _old(before: Item, request: Mapping[str, Any]) -> Item:
    return {"Item": before} if before and request.get("ReturnValuesOnConditionCheckFailure") else {}


def _holds(item: Item, request: Mapping[str, Any]) -> bool:
    expression = request.get("ConditionExpression")
    if expression is None:
        return True
    values = request.get("ExpressionAttributeValues", {})
    return all(
        any(_check(item, check, values) for check in clause.strip("()").split(" OR "))
        if " OR " in clause
        else _check(item, clause, values)
        for clause in expression.split(" AND ")
    )


def _check(item: Item, expression: str, values: Mapping[str, Any]) -> bool:
    match = _CHECK.search(expression)
    if match is None or "begins_with" in expression:
        raise Unknown(expression)
    if match["absent"]:
        return match["absent"] not in item
    if match["name"] not in item:
        return False
    [(kind, actual)], [(other, wanted)] = item[match["name"]].items(), values[match["value"]].items()
    if match["sign"] == "=":
        return bool((kind, actual) == (other, wanted))
    return bool(actual < wanted) if kind == "S" else int(actual) < int(wanted)


def _changes(before: Item, request: Mapping[str, Any]) -> Item:
    verb, _, rest = request["UpdateExpression"].partition(" ")
    names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
    changes: Item = {}
    for each in rest.split(", "):
        name, value = re.split(r" = | ", each)
        attribute = names[name]
        if verb == "SET":
            changes[attribute] = values[value]
        elif verb == "ADD":
            changes[attribute] = {"N": str(int(before.get(attribute, {"N": "0"})["N"]) + int(values[value]["N"]))}
        else:
            raise Unknown(verb)
    return changes
