"""The wire between the functions and AWS: every call that a function makes goes through here.

How it works: the class of each client that a botocore session makes gets a base class more, in front, which takes part
in every call. A call is answered by the client itself (in unit tests, moto answers it), or, while the wire is connected
to the emulator, by a client of the emulator. A :class:`Tap` on the wire sees each call before it is sent and each
answer before the function does, and may replace either, or raise.

Its limits: it lies above botocore's retries, so what a tap puts in the way is what is left after them. One tap sees the
calls of all threads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from typing import Any, Protocol

from botocore import xform_name
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from tests.engines.table import Key, key_of

_TIMES = re.compile(r'\\*"occurred_at\\*":\\*"[^"]*"')
_ATTEMPTS = re.compile(r'("attempts": \{"N": ")(?:[2-9]|\d\d+)')
_EXPIRY = re.compile(r'("expires_at": \{"N": ")\d+')

Check = Callable[["Call"], None]

Clients = Callable[[str], Any]
"""Gives a client by the name of its service."""


@dataclass(frozen=True)
class Call:
    """A call to AWS: service and operation as botocore names them (``sqs``, ``SendMessage``), and parameters.

    ``function`` is the key of the function that makes it, or empty.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]
    function: str = ""

    @cached_property
    def key(self) -> str:
        """The call without what differs from one time to the next."""
        return f"{self.operation} {stable(self.parameters)}"

    @property
    def only_reads(self) -> bool:
        """Whether it leaves everything as it is."""
        return self.operation.startswith(("BatchGet", "Get", "Query"))

    def sees(self, key: Key) -> bool:
        """Whether an item plays a part in it: DynamoDB reads and writes what a request names, and no more."""
        if self.operation == "Query":
            values = self.parameters["ExpressionAttributeValues"].values()
            return {"S": key[0]} in values
        return key in _keys(self.parameters)


def _keys(parameters: Mapping[str, Any]) -> Iterator[Key]:
    for action in parameters.get("TransactItems", [{"Alone": parameters}]):
        for each in action.values():
            yield key_of(each["TableName"], each.get("Key") or each["Item"])


@dataclass(frozen=True)
class Answer:
    """What AWS answered; a refusal has an ``Error``."""

    body: Mapping[str, Any]

    @cached_property
    def key(self) -> str:
        """The answer without what differs from one time to the next."""
        return stable({name: value for name, value in self.body.items() if name != "ResponseMetadata"})


class Tap(Protocol):
    """Sees what happens on the wire. Either method may raise: instead of the call, or instead of its answer."""

    def before(self, call: Call) -> Answer | None:
        """Called before a call is sent, which it is not if an answer is returned."""

    def after(self, call: Call, answer: Answer) -> None:
        """Called when AWS has answered, before the function gets the answer."""


class Wire:
    """What lies between the functions and AWS."""

    def __init__(self) -> None:
        self._tap: Tap | None = None
        self._clients: Clients | None = None
        self._before_each: Callable[[], None] = lambda: None
        self._caller: ContextVar[tuple[str, Check]] = ContextVar("caller", default=("", lambda _: None))

    @contextmanager
    def used_by(self, function: str, check: Check) -> Iterator[None]:
        """The calls of this thread are the function's in the block; ``check`` sees each first, and may raise."""
        before = self._caller.set((function, check))
        try:
            yield
        finally:
            self._caller.reset(before)

    @contextmanager
    def preceded(self, by: Callable[[], None]) -> Iterator[None]:
        """``by`` is called before each call, by the thread that makes it, for the time of the block."""
        before, self._before_each = self._before_each, by
        try:
            yield
        finally:
            self._before_each = before

    @contextmanager
    def tapped(self, tap: Tap) -> Iterator[None]:
        """Calls go through this tap, and no other, for the time of the block."""
        before, self._tap = self._tap, tap
        try:
            yield
        finally:
            self._tap = before

    @contextmanager
    def connected(self, clients: Clients) -> Iterator[None]:
        """Calls are answered by these clients for the time of the block."""
        before, self._clients = self._clients, cache(clients)
        try:
            yield
        finally:
            self._clients = before

    def attach(self, session: Any) -> None:
        """Take part in every call of the clients that a botocore session makes from now on."""

        class Wired:
            def _make_api_call(client: Any, operation_name: str, api_params: dict[str, Any]) -> Any:  # noqa: N805
                def own() -> Any:
                    # The classes of botocore that follow this one have the method.
                    return super(Wired, client)._make_api_call(operation_name, api_params)  # type: ignore[misc]

                function, check = self._caller.get()
                call = Call(client.meta.service_model.service_name, operation_name, api_params, function)
                check(call)
                return self._call(client, call, own)

        session.register("creating-client-class", lambda base_classes, **_: base_classes.insert(0, Wired))

    def send(self, call: Call) -> Answer:
        """What the emulator that the wire is connected to answers a call; no tap sees it.

        Raises:
            LookupError: the wire is connected to none.
        """
        if self._clients is None:
            raise LookupError("the wire is connected to no emulator")
        method = getattr(self._clients(call.service), xform_name(call.operation))
        return _answer(lambda: method(**call.parameters))

    def _call(self, client: Any, call: Call, own: Callable[[], Any]) -> Any:
        self._before_each()
        if self._tap is None and self._clients is None:
            return own()
        answer = self._tap.before(call) if self._tap else None
        if answer is None:
            answer = self.send(call) if self._clients else _answer(own)
            if self._tap:
                self._tap.after(call, answer)
        if "Error" in answer.body:
            raise client.exceptions.from_code(answer.body["Error"]["Code"])(answer.body, call.operation)
        return answer.body


def _answer(ask: Callable[[], Any]) -> Answer:
    try:
        return Answer(ask())
    except ClientError as refused:
        return Answer(refused.response)


class Killed(BaseException):
    """The function dies here: `except Exception` does not catch it."""


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
        refused = {"Code": "ThrottlingException", "Message": "too much"}
        return Answer({"Error": refused, "ResponseMetadata": {"HTTPStatusCode": 400}})
    reasons = [{"Code": "None"} for _ in call.parameters["TransactItems"][1:]]
    return Answer(
        {
            "Error": {"Code": "TransactionCanceledException", "Message": "[TransactionConflict]"},
            "CancellationReasons": [{"Code": "TransactionConflict"}, *reasons],
        }
    )


def stable(value: Any) -> str:
    """A value as JSON, without the times that differ from one run to the next.

    Nor does it matter how often a sandbox was asked once it was asked twice.
    """
    text = json.dumps(value, sort_keys=True, default=str)
    return _EXPIRY.sub(r"\1later", _ATTEMPTS.sub(r"\1many", _TIMES.sub("", text)))
