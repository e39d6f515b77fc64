"""Publishing integration events: typed, checked before they are sent, retried one by one, and none lost silently.

It needs pydantic alone; the EventBridge client comes from the caller::

    publisher = Publisher(boto3.client("events"), bus="order-intake", source="shop.checkout")
    publisher.publish([OrderSubmitted(...), StockDelivered(...)])

An event is delivered at least once: where an answer gets lost on its way back, the event is sent again. What is
published carries ids of its own, so that a second one changes nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import SystemRandom
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from events.integration import INTEGRATION_EVENTS, MAX_CANONICAL_BYTES, OrderSubmitted
from events.model import Model
from events.publishing.entries import MAX_BYTES, batches, size_of

TOO_LARGE = "TooLarge"
"""The code of an event that was not sent because it is larger than what is taken."""

_FIRST_WAIT_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 5.0
_JITTER = SystemRandom()
"""From the operating system: instances that start from one snapshot of a function would all draw alike otherwise."""
_IDS = ("order_id", "delivery_id")
_FINAL = frozenset(
    {
        "AccessDeniedException",
        "InvalidAccountIdException",
        "InvalidArgument",
        "MalformedDetail",
        "NotAuthorizedForDetailTypeException",
        "NotAuthorizedForSourceException",
        "RedactionFailure",
    }
)
"""Errors of an entry that another attempt does not change.
Source: EventBridge API reference, PutEventsResultEntry."""


class EventBridge(Protocol):
    """What is used of an EventBridge client."""

    def put_events(self, *, Entries: Any) -> Mapping[str, Any]:  # noqa: N803 - as botocore has it
        """Put at most ten entries on buses; the answer has a result for each."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it is put on the bus: its type, its detail as JSON, and a name for messages.

    Typed events become entries by themselves. Entries that no model allows, as tests need them, come from
    :meth:`untyped`.
    """

    detail_type: str
    detail: str
    name: str

    @classmethod
    def of(cls, event: Model) -> Entry:
        """The entry of an integration event.

        Raises:
            TypeError: it is no integration event: what is recorded is published by the outbox alone.
        """
        detail_type = type(event).__name__
        if INTEGRATION_EVENTS.get(detail_type) is not type(event):
            raise TypeError(f"{detail_type} is no integration event")
        return cls(detail_type, event.model_dump_json(exclude_none=True), _name(detail_type, vars(event)))

    @classmethod
    def untyped(cls, detail_type: str, detail: Any) -> Entry:
        """An entry with any JSON value as its detail."""
        text = json.dumps(detail, separators=(",", ":"), ensure_ascii=False)
        return cls(detail_type, text, _name(detail_type, detail if isinstance(detail, Mapping) else {}))

    def put(self, bus: str, source: str) -> dict[str, str]:
        """What PutEvents takes for it."""
        return {"EventBusName": bus, "Source": source, "DetailType": self.detail_type, "Detail": self.detail}


E = TypeVar("E", bound=Model | Entry)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[E]):
    """What became of one event: the bus took it, or ``code`` and ``reason`` say why not.

    ``name`` is the event's type and id; ``at`` is the moment just before it was last put, in UTC. ``code`` is
    the error as EventBridge names it, the exception's class where there was no answer, or ``TOO_LARGE``; it is None
    where the bus took the event. ``fatal``: calls fail altogether, and so will whatever is left.
    """

    event: E
    name: str
    at: datetime
    code: str | None = None
    reason: str = ""
    fatal: bool = False

    @property
    def sent(self) -> bool:
        """Whether the bus took it."""
        return self.code is None

    def __str__(self) -> str:
        return self.name if self.sent else f"{self.name}: {self.code}: {self.reason}"


class Unpublished(Exception):
    """Events were not published: ``unsent`` has the outcome of each, and the message names the first."""

    def __init__(self, unsent: Sequence[Outcome[Any]]) -> None:
        more = f" (and {len(unsent) - 1} more)" if len(unsent) > 1 else ""
        super().__init__(f"not published: {unsent[0]}{more}")
        self.unsent = unsent


class Publisher:
    """Puts integration events on the intake bus.

    Args:
        client: an EventBridge client, such as ``boto3.client("events")``.
        bus: name or ARN of the intake bus.
        source: names the publisher.
        attempts: how often an event is put, at most.
        sleep: waits for so many seconds before failed events are put again.
    """

    def __init__(
        self,
        client: EventBridge,
        bus: str,
        source: str,
        *,
        attempts: int = 8,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._bus = bus
        self._source = source
        self._attempts = attempts
        self._sleep = sleep

    def publish(self, events: Iterable[Model | Entry]) -> int:
        """Publish events, and return how many.

        Raises:
            Unpublished: some could not be published; all the others were.
            TypeError: one is no integration event; of those before it some may be published.
        """
        published = 0
        unsent: list[Outcome[Model | Entry]] = []
        for outcome in self.outcomes(events):
            if outcome.sent:
                published += 1
            else:
                unsent.append(outcome)
        if unsent:
            raise Unpublished(unsent)
        return published

    def outcomes(self, events: Iterable[E]) -> Iterator[Outcome[E]]:
        """Publish events as their outcomes are asked for: exactly one for each event, whatever happens.

        No more than a call's worth of events is held at a time. One that is too large is not sent, and does not hold
        up the others. Once calls fail altogether, for want of a permission or of a connection, the events that are left
        have that same, fatal outcome without being sent: the caller may as well stop.

        Raises:
            TypeError: one is no integration event; those in the same call with it are not sent.
        """
        failure: _Failure | None = None
        for batch in batches(map(self._pending, events)):
            waiting = [each for each in batch if each.too_large is None]
            yield from (each.outcome(datetime.now(UTC), each.too_large) for each in batch if each.too_large)
            if failure is None:
                failure = yield from self._put(waiting)
            else:
                yield from (each.outcome(datetime.now(UTC), failure) for each in waiting)

    def _pending(self, event: E) -> _Pending[E]:
        entry = event if isinstance(event, Entry) else Entry.of(event)
        put = entry.put(self._bus, self._source)
        size, too_large = size_of(put), None
        if size > MAX_BYTES:
            too_large = _Failure(TOO_LARGE, f"{size} bytes; EventBridge takes {MAX_BYTES}")
        elif isinstance(event, OrderSubmitted) and (detail := len(entry.detail.encode())) > MAX_CANONICAL_BYTES:
            too_large = _Failure(TOO_LARGE, f"{detail} bytes; an order may have {MAX_CANONICAL_BYTES}")
        return _Pending(event, entry.name, put, size, too_large)

    def _put(self, waiting: list[_Pending[E]]) -> Generator[Outcome[E], None, _Failure | None]:
        """Put a batch until no attempt is left. Returns why calls fail altogether, if they do."""
        left = self._attempts
        while waiting:
            at, left = datetime.now(UTC), left - 1
            failure: _Failure | None = None
            try:
                answer = self._client.put_events(Entries=[each.put for each in waiting])
                results = [_failure_in(result) for _, result in zip(waiting, answer["Entries"], strict=True)]
            except Exception as raised:  # whatever a client raises: these events are not known to be sent
                failure = _failure_of(raised)
                results = [failure] * len(waiting)
            again = []
            for each, failed in zip(waiting, results, strict=True):
                if failed and left and not failed.final:
                    again.append(each)
                else:
                    yield each.outcome(at, failed)
            if not again:
                return failure
            waiting = again
            self._sleep(_wait(self._attempts - left))
        return None


class _Failure(NamedTuple):
    """Why an event was not sent. No attempt changes a ``final`` one; one ``of_call`` is of all events of the call."""

    code: str
    reason: str
    final: bool = True
    of_call: bool = False


@dataclass(frozen=True, slots=True)
class _Pending(Generic[E]):
    event: E
    name: str
    put: Mapping[str, Any]
    size: int
    too_large: _Failure | None

    def outcome(self, at: datetime, failure: _Failure | None) -> Outcome[E]:
        if failure is None:
            return Outcome(self.event, self.name, at)
        return Outcome(self.event, self.name, at, failure.code, failure.reason, failure.of_call)


def _failure_in(result: Mapping[str, Any]) -> _Failure | None:
    """Why an entry was not taken by a call that was accepted, if it was not."""
    code = result.get("ErrorCode")
    return None if code is None else _Failure(code, result.get("ErrorMessage", ""), final=code in _FINAL)


def _failure_of(raised: Exception) -> _Failure:
    """Why a whole call failed. botocore's errors are known by what they carry: botocore itself may not be here."""
    response: Mapping[str, Any] = getattr(raised, "response", {})
    if "Error" not in response:
        return _Failure(type(raised).__name__, str(raised), final=False, of_call=True)
    code = response["Error"].get("Code", type(raised).__name__)
    refused = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) < 500
    final = refused and "Throttl" not in code
    return _Failure(code, response["Error"].get("Message", ""), final, of_call=True)


def _wait(failed: int) -> float:
    """The backoff in seconds after so many failed attempts: twice as long each time, up to a limit, with jitter."""
    return min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0 ** (failed - 1)) * _JITTER.uniform(0.5, 1.5)


def _name(detail_type: str, fields: Mapping[str, Any]) -> str:
    return next((f"{detail_type} {fields[name]}" for name in _IDS if name in fields), detail_type)
