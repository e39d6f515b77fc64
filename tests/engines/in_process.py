"""The functions, run in this process against the emulator, with a hand on every call they make to AWS.

Their code is loaded as it is deployed, once more than other tests may have it, so that its clients reach the emulator
and :class:`Wire` stands between every call and botocore.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from types import ModuleType, SimpleNamespace
from typing import Any, Protocol
from unittest.mock import patch

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from infra.functions import FUNCTIONS
from infra.local.emulator.process import ACCOUNT, REGION, Emulator

Item = dict[str, Any]
Items = dict[tuple[str, str], Item]
"""A table's items by partition and sort key."""

SENDER = "orders@shop.example"
_TIMES = re.compile(r'\\*"occurred_at\\*":\\*"[^"]*"')
_ATTEMPTS = re.compile(r'("attempts": \{"N": ")(?:[2-9]|\d\d+)')
_BATCH = 25


@dataclass(frozen=True)
class Call:
    """A call to AWS: the operation's name and its parameters."""

    operation: str
    parameters: Mapping[str, Any]

    @cached_property
    def key(self) -> str:
        """The call without what differs from one time to the next."""
        return f"{self.operation} {stable(self.parameters)}"

    @property
    def only_reads(self) -> bool:
        """Whether it leaves everything as it is."""
        return self.operation.startswith(("BatchGet", "Get", "Query"))

    def sees(self, key: tuple[str, str]) -> bool:
        """Whether an item of the table plays a part in it: DynamoDB reads and writes what a request names, no more."""
        partition, sort_key = key
        if self.operation == "Query":
            values = self.parameters["ExpressionAttributeValues"].values()
            return {"S": partition} in values
        return any(named["PK"]["S"] == partition and named["SK"]["S"] == sort_key for named in _keys(self.parameters))


def _keys(parameters: Mapping[str, Any]) -> Iterator[Item]:
    for action in parameters.get("TransactItems", [{"Alone": parameters}]):
        for each in action.values():
            yield each.get("Key") or each["Item"]


@dataclass(frozen=True)
class Answer:
    """What AWS answered; a refusal has an ``Error``."""

    body: Mapping[str, Any]

    @cached_property
    def key(self) -> str:
        """The answer without what differs from one time to the next."""
        return stable({name: value for name, value in self.body.items() if name != "ResponseMetadata"})


class Tap(Protocol):
    """What happens on the wire. Either method may raise: in place of the call, or in place of its answer."""

    def before(self, call: Call) -> Answer | None:
        """Called before a call is sent; an answer given here takes the call's place."""

    def after(self, call: Call, answer: Answer) -> None:
        """Called when AWS has answered, before the function knows."""


class Wire:
    """What lies between the functions and AWS."""

    def __init__(self) -> None:
        self._tap: Tap | None = None

    @contextmanager
    def tapped(self, tap: Tap) -> Iterator[None]:
        """Calls go through the tap for the time of the block."""
        self._tap = tap
        try:
            yield
        finally:
            self._tap = None

    def attach(self, session: Any) -> None:
        """Take part in every call of the clients that a botocore session makes from now on."""

        class Tapped:
            def _make_api_call(client, operation_name: str, api_params: dict[str, Any]) -> Any:  # noqa: N805
                def send() -> Any:
                    return super(Tapped, client)._make_api_call(operation_name, api_params)  # type: ignore[misc]

                if self._tap is None:
                    return send()
                return self._through(self._tap, client, operation_name, api_params, send)

        session.register("creating-client-class", lambda base_classes, **_: base_classes.insert(0, Tapped))

    @staticmethod
    def _through(tap: Tap, client: Any, operation: str, parameters: dict[str, Any], send: Callable[[], Any]) -> Any:
        call = Call(operation, parameters)
        answer = tap.before(call)
        if answer is None:
            try:
                answer = Answer(send())
            except ClientError as refused:
                answer = Answer(refused.response)
            tap.after(call, answer)
        if "Error" in answer.body:
            raise client.exceptions.from_code(answer.body["Error"]["Code"])(answer.body, operation)
        return answer.body


class Killed(BaseException):
    """The function dies here: no handler of exceptions of ours sees it."""


class Trouble(StrEnum):
    """What may happen to a call."""

    KILLED_BEFORE = "killed before the call"
    KILLED_AFTER = "killed after the call, its answer unseen"
    THROTTLED = "AWS was busy"
    OUT_OF_REACH = "AWS was out of reach"
    ANSWER_LOST = "the answer got lost"


class Fault:
    """A tap with one trouble at one call, counted from 1. ``calls`` are those seen so far."""

    def __init__(self, at: int = 0, trouble: Trouble = Trouble.KILLED_BEFORE) -> None:
        self._at = at
        self._trouble = trouble
        self.calls: list[Call] = []

    def before(self, call: Call) -> Answer | None:
        self.calls.append(call)
        if len(self.calls) == self._at:
            if self._trouble is Trouble.KILLED_BEFORE:
                raise Killed
            if self._trouble is Trouble.THROTTLED:
                return _busy(call)
            if self._trouble is Trouble.OUT_OF_REACH:
                raise EndpointConnectionError(endpoint_url="the emulator")
        return None

    def after(self, call: Call, answer: Answer) -> None:
        if len(self.calls) == self._at:
            if self._trouble is Trouble.KILLED_AFTER:
                raise Killed
            if self._trouble is Trouble.ANSWER_LOST:
                raise ReadTimeoutError(endpoint_url="the emulator")


def _busy(call: Call) -> Answer:
    """AWS is busy: with other transactions on the same items, which the emulator never is, or with too much."""
    if call.operation != "TransactWriteItems":
        return Answer({"Error": {"Code": "ThrottlingException", "Message": "too much"}})
    reasons = [{"Code": "None"} for _ in call.parameters["TransactItems"][1:]]
    return Answer(
        {
            "Error": {"Code": "TransactionCanceledException", "Message": "[TransactionConflict]"},
            "CancellationReasons": [{"Code": "TransactionConflict"}, *reasons],
        }
    )


class Table:
    """A table that can be looked at whole, and set to what it was.

    Args:
        client: a DynamoDB client of the test's own, which no tap sees.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name
        key = {"PK": "HASH", "SK": "RANGE"}
        client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": part, "KeyType": kind} for part, kind in key.items()],
            AttributeDefinitions=[{"AttributeName": part, "AttributeType": "S"} for part in key],
        )

    def items(self) -> Items:
        """Every item."""
        items: Items = {}
        request: dict[str, Any] = {"TableName": self.name, "ConsistentRead": True}
        while True:
            page = self._client.scan(**request)
            items |= {(item["PK"]["S"], item["SK"]["S"]): item for item in page["Items"]}
            if "LastEvaluatedKey" not in page:
                return items
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def set(self, items: Items, there: Items | None = None) -> None:
        """Make the table hold these items and no others. ``there``: what it holds now, where that is known."""
        there = self.items() if there is None else there
        writes: list[dict[str, Any]] = [
            {"PutRequest": {"Item": item}} for key, item in items.items() if there.get(key) != item
        ]
        writes += [
            {"DeleteRequest": {"Key": {"PK": there[key]["PK"], "SK": there[key]["SK"]}}} for key in there.keys() - items
        ]
        for start in range(0, len(writes), _BATCH):
            self._client.batch_write_item(RequestItems={self.name: writes[start : start + _BATCH]})


class Functions:
    """The functions by key, as Lambda would call them.

    Args:
        modules: their own copy of the modules under ``handlers``, by name.
        wire: what lies between them and AWS.
    """

    def __init__(self, modules: Mapping[str, ModuleType], wire: Wire) -> None:
        self._handlers: dict[str, Callable[[dict[str, Any], Any], Any]] = {}
        for function in FUNCTIONS:
            module, _, name = function.handler.rpartition(".")
            self._handlers[function.key] = getattr(modules[module], name)
        self.modules = modules
        self.wire = wire
        self.remaining_ms: Callable[[], int] = lambda: 60_000

    def invoke(self, key: str, event: dict[str, Any]) -> Any:
        """Call a function; returns what it returns, raises what it raises."""
        context = SimpleNamespace(
            function_name=key,
            memory_limit_in_mb=512,
            invoked_function_arn=f"arn:aws:lambda:{key}",
            aws_request_id="r",
            get_remaining_time_in_millis=self.remaining_ms,
        )
        return self._handlers[key](event, context)


@contextmanager
def functions(emulator: Emulator, environment: Mapping[str, str]) -> Iterator[Functions]:
    """The functions, with their own copy of the code and this environment, for the time of the block."""
    everywhere = {
        "AWS_ENDPOINT_URL": emulator.endpoint,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": ACCOUNT,
        "AWS_DEFAULT_REGION": REGION,
        "ORDERS_BUS_NAME": "no-bus",
        "DEAD_LETTER_QUEUE_URL": "no-queue",
        "ARCHIVE_ARN": "no-archive",
        "ORDERS_BUS_ARN": "no-bus",
        "EMAIL_SENDER": SENDER,
        "POWERTOOLS_SERVICE_NAME": "in-process",
        "POWERTOOLS_METRICS_NAMESPACE": "OrderPipeline",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    }
    with patch.dict(os.environ, everywhere | dict(environment)):
        for elsewhere in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            os.environ.pop(elsewhere, None)
        others = _unload()
        try:
            wire = Wire()
            wire.attach(importlib.import_module("handlers.runtime.aws")._session)
            for function in FUNCTIONS:
                importlib.import_module(function.handler.rpartition(".")[0])
        finally:
            loaded = _unload()
            sys.modules.update(others)
        yield Functions(loaded, wire)


def _unload() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name == "handlers" or name.startswith("handlers.")]
    return {name: sys.modules.pop(name) for name in names}


def stable(value: Any) -> str:
    """A value as JSON, without the times that differ from one run to the next.

    Nor does it matter how often a sandbox was asked once it was asked twice.
    """
    text = json.dumps(value, sort_keys=True, default=str)
    return _ATTEMPTS.sub(r"\1many", _TIMES.sub("", text))


def sqs(*bodies: str, receives: int = 1) -> dict[str, Any]:
    """The Lambda event of messages from a queue, numbered from 0, that are delivered for the ``receives``-th time."""
    return {"Records": [_message(str(number), body, receives) for number, body in enumerate(bodies)]}


def _message(message_id: str, body: str, receives: int) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "receiptHandle": message_id,
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(receives)},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:queue",
        "awsRegion": "us-east-1",
    }


def integration_event(detail_type: str, detail: Any) -> str:
    """The body of a message with an event of the intake bus."""
    return json.dumps({"id": f"intake-{detail_type}", "detail-type": detail_type, "detail": detail})


def domain_event(item: Item) -> str:
    """The body of a message with an event of the orders bus, from its item in the log."""
    detail = {"metadata": json.loads(item["metadata"]["S"]), "data": json.loads(item["data"]["S"])}
    return json.dumps({"id": "bus", "detail-type": item["type"]["S"], "detail": detail})


def stream(*items: Item) -> dict[str, Any]:
    """The Lambda event of a table stream, with these new images."""
    return {
        "Records": [
            {"eventName": "INSERT", "dynamodb": {"Keys": {key: item[key] for key in ("PK", "SK")}, "NewImage": item}}
            for item in items
        ]
    }


def submission(
    order_id: str,
    *,
    token: str = "tok_approve",
    postal_code: str = "N1 9GU",
    lines: Mapping[str, int] | None = None,
    unit_price: int = 250,
    email: str | None = "buyer@example.com",
) -> dict[str, Any]:
    """What a publisher sends as ``OrderSubmitted``; ``lines`` are quantities by SKU."""
    return {
        "order_id": order_id,
        "currency": "GBP",
        "lines": [
            {"sku": sku, "quantity": quantity, "unit_price": unit_price}
            for sku, quantity in (lines or {"apple": 2, "pear": 1}).items()
        ],
        "shipping_address": {
            "name": "A Buyer",
            "street": "1 Road",
            "city": "London",
            "postal_code": postal_code,
            "country": "GB",
        },
        "payment_token": token,
        **({"customer": {"customer_id": "c1", "email": email}} if email else {}),
    }
