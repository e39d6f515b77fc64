"""Explores every way in which actors can interleave their calls to AWS, each way once.

How it works: a state is the table with the vault and, per actor, its progress: the task it is at, and the answers it
has had since that task began. What a function does next depends on nothing else, so it is found once for that progress,
whatever the table holds: by running the task from its start, giving it those answers, and stopping it at its next call.
That call goes to the emulator, on a table that holds the state's items. A state reached twice is explored once, and AWS
is asked once per request and the items it names, so all interleavings of long processes fit into seconds.

Killing a function is dropping the answers it has had: the task begins anew, on the table as it left it.

Its limits: only calls of DynamoDB interleave; other services are answered here, and what they are sent is dropped.
Functions must depend on their input and on those answers alone, not on time, and times in answers are left out of the
comparison; nor on chance, so what is random to a task is the same whenever it begins, anew after a kill too. An item
changes only by a request that names its key, and by none that reads.
"""

from __future__ import annotations

import copy
import itertools
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from hashlib import shake_256
from typing import Any, Protocol
from unittest.mock import patch

from events.envelope import Metadata, event_id
from events.shops import own_id
from handlers.functions.resources import sandbox_books
from handlers.payments.refusals import PaymentGatewayUnreachable
from handlers.shipping.refusals import CarrierUnreachable
from infra.constructs.express_saga import HANDED_OVER, START_EXECUTION
from tests.builders.messages import integration_event, sqs
from tests.builders.recorded_events import ACTOR
from tests.builders.vault import KEY_OF_REJECTIONS
from tests.engines.in_process import Functions
from tests.engines.saga_machine import EXPRESS, MACHINES, Execution, definition
from tests.engines.table import Item, Items, Key, Table
from tests.engines.wire import Answer, Call, stable

_UNREACHABLE: Mapping[str, type[Exception]] = {
    "AuthorizePayment": PaymentGatewayUnreachable,
    "CapturePayment": PaymentGatewayUnreachable,
    "ArrangeShipment": CarrierUnreachable,
}
"""What a function raises where the outside service of its task gives no answer; of tasks that go forward."""
_ASIDE = {"SendMessage": {"MessageId": "1"}, "GetSecretValue": {"SecretString": KEY_OF_REJECTIONS.decode()}}
"""The answers to calls of other services: nothing here reads dead-letter messages."""


class Paused(BaseException):
    """The function is stopped before its next ``call``."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.call = call


class UnexpectedChange(BaseException):
    """A call changed items that its request does not name, which the explorer relies on."""


class Violated(AssertionError):
    """An invariant does not hold; the message has the steps that led there."""


class Process(Protocol):
    """What an actor does, task by task. A step returns a new process and leaves this one as it is."""

    @property
    def key(self) -> str:
        """The same for processes that have the same future."""

    @property
    def done(self) -> bool:
        """Nothing is left to do."""

    @property
    def task(self) -> str:
        """The next task."""

    def step(self) -> Process:
        """Run one task."""


class Saga:
    """An execution of one of the sagas for an order.

    One of the express lane that hands over goes on as the saga that it starts, even where another one has the order's
    name: what holds with an execution that may take its steps at any time, or when all is done, holds without it, too.
    """

    _definitions: Mapping[str, Any] = {machine: definition(machine) for machine in (*MACHINES, EXPRESS)}

    def __init__(self, functions: Functions, order_id: str, machine: str = "order_saga") -> None:
        def invoke(key: str, payload: dict[str, Any]) -> None:
            if key != START_EXECUTION:
                functions.invoke(key, payload)

        self._functions = functions
        self.order_id = order_id
        self.machine = machine
        self.execution = Execution(self._definitions[machine], order_id, invoke)

    @cached_property
    def key(self) -> str:
        return f"{self.machine} {self.execution.progress}"

    @property
    def done(self) -> bool:
        return self.execution.done

    @property
    def task(self) -> str:
        return self.execution.state

    def step(self) -> Saga:
        states = self._definitions[self.machine]["States"]
        later = copy.copy(self)
        later.__dict__.pop("key", None)
        later.execution = copy.deepcopy(self.execution, {id(states): states})
        later.execution.step()
        handed_over = later.done and later.execution.state == HANDED_OVER
        return Saga(self._functions, self.order_id) if handed_over else later


@dataclass(frozen=True)
class Message:
    """A message in a function's queue, and its receive count. While it fails, it is delivered again."""

    functions: Functions
    function: str
    body: str
    receives: int = 0
    done: bool = False

    @property
    def key(self) -> str:
        return f"message {self.body} {self.receives} {self.done}"

    @property
    def task(self) -> str:
        return f"the message, delivery {self.receives + 1}"

    def step(self) -> Message:
        receives = self.receives + 1
        answer = self.functions.invoke(self.function, sqs(self.body, receives=receives))
        return replace(self, receives=receives, done=not answer["batchItemFailures"])


def submitted(functions: Functions, order: Mapping[str, Any], receives: int = 0) -> Message:
    """A submission, with the shop's own id. Two of the same that are under way at once have other ``receives``."""
    return Message(functions, "order_intake", integration_event("OrderSubmitted", order), receives)


def cancellation(functions: Functions, order_id: str, **why: str) -> Message:
    """A customer's request to cancel an order, with a ``reason`` if they say one."""
    body = integration_event("OrderCancellationRequested", {"order_id": own_id(order_id), **why})
    return Message(functions, "order_intake", body)


def report(functions: Functions, order_id: str, status: str) -> Message:
    """A carrier's report of where a parcel is."""
    body = integration_event("ShipmentStatusReported", {"order_id": order_id, "status": status})
    return Message(functions, "shipment_intake", body)


def dispatched(functions: Functions, order_id: str) -> Message:
    """The event that a shipment is dispatched, in the queue of the function that ships stock."""
    stream, version = f"shipment#{order_id}", 2
    metadata = Metadata(
        event_id=event_id(stream, version),
        stream=stream,
        version=version,
        schema_version=1,
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
        correlation_id=order_id,
        causation_id=order_id,
        actor=ACTOR,
    )
    detail = {"metadata": metadata.model_dump(mode="json", exclude_none=True), "data": {"order_id": order_id}}
    return Message(functions, "shipped_stock", json.dumps({"detail-type": "ShipmentDispatched", "detail": detail}))


@dataclass(frozen=True)
class Collection:
    """A carrier that collects a parcel, unless its shipment was cancelled, and then reports that it is dispatched."""

    functions: Functions
    order_id: str
    done: bool = False

    @property
    def key(self) -> str:
        return f"collection {self.done}"

    @property
    def task(self) -> str:
        return "the collection"

    def step(self) -> Process:
        _, collected = sandbox_books("shipping").change(
            self.order_id,
            "SET book_state = :dispatched",
            "book_state = :arranged",
            {"arranged": "arranged", "dispatched": "dispatched"},
        )
        return report(self.functions, self.order_id, "dispatched") if collected else replace(self, done=True)


@dataclass(frozen=True)
class Awaited:
    """An event that an actor waits for, at this version of the stream."""

    stream: str
    version: int
    event_type: str

    def is_in(self, items: Items) -> bool:
        """Whether the log has it."""
        item = items.get((self.stream, f"event#{self.version:010d}"))
        return item is not None and item["type"]["S"] == self.event_type


@dataclass(frozen=True)
class Actor:
    """A process, and the answers that its function has had since the task began.

    ``cut_off`` names the sandboxes that give this actor no answer while it goes forward: payments, shipping.
    ``after``: the event that has to be in the log before this process begins.
    """

    process: Process
    answers: tuple[Answer, ...] = ()
    cut_off: frozenset[str] = frozenset()
    after: Awaited | None = None

    @cached_property
    def key(self) -> str:
        """The same for actors that have the same future."""
        about = [str(self.after), *sorted(self.cut_off)]
        return "\n".join([self.process.key, *about, *(answer.key for answer in self.answers)])

    @cached_property
    def killed(self) -> Actor:
        """The actor whose task begins anew."""
        return replace(self, answers=()) if self.answers else self

    def rests(self, items: Items) -> bool:
        """Whether it has nothing to do, or nothing yet."""
        return self.process.done or (self.after is not None and not self.after.is_in(items))


class Content:
    """The items of table and vault in a state."""

    def __init__(self, items: Items) -> None:
        self.items = items
        self.key = stable(sorted(items.items()))


Changes = Mapping[Key, Item | None]
"""The items that a call changed, or None for one that it deleted."""
Point = tuple[Actor, Content]
"""An actor, and the table it works on."""


@dataclass(frozen=True)
class State:
    """The actors, and the table with the vault."""

    actors: tuple[Actor, ...]
    content: Content

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The same for states with the same future: which of two equal actors is where makes no difference."""
        return *sorted(actor.key for actor in self.actors), self.content.key


class Explorer:
    """Explores states.

    Args:
        functions: the functions, working on the table.
        table: a table that nobody else uses.
    """

    def __init__(self, functions: Functions, table: Table) -> None:
        self._functions = functions
        self._table = table
        self._there: Items | None = None
        self._contents: dict[str, Content] = {}
        self._followings: dict[str, Call | Actor] = {}
        self._effects: dict[tuple[str, str], tuple[Answer, Changes]] = {}
        self._advances: dict[tuple[str, str], Point] = {}

    def explore(
        self,
        items: Items,
        actors: Mapping[str, Actor],
        always: Callable[[Items], None],
        *,
        kills: bool = False,
    ) -> list[State]:
        """Every state in which all actors are done, or wait for an event that is never appended.

        Args:
            items: what the table holds at first.
            actors: what acts on it, by name.
            always: what must hold of the table in every state; raises AssertionError.
            kills: any function may also be killed after any of its calls, repeatedly; its task is then run again.

        Raises:
            Violated: ``always`` does not hold.
        """
        self._there = None
        first = State(tuple(actors.values()), Content(items))
        before: dict[tuple[str, ...], tuple[State, str] | None] = {first.key: None}
        waiting, ended, checked = [first], [], set[str]()
        while waiting:
            state = waiting.pop()
            if state.content.key not in checked:
                checked.add(state.content.key)
                self._check(always, state, before)
            resting = [actor.rests(state.content.items) for actor in state.actors]
            if all(resting):
                ended.append(state)
            for number, (name, actor) in enumerate(zip(actors, state.actors, strict=True)):
                if resting[number]:
                    continue
                for step, later, content in self._moves(actor, state.content, kills):
                    reached = State((*state.actors[:number], later, *state.actors[number + 1 :]), content)
                    if reached.key not in before:
                        before[reached.key] = state, f"{name}: {step}"
                        waiting.append(reached)
        self._paths = before
        return ended

    def path(self, state: State) -> str:
        """The steps that led to a state, in the last exploration."""
        return _path(state, self._paths)

    def _moves(self, actor: Actor, content: Content, kills: bool) -> Iterator[tuple[str, Actor, Content]]:
        later, reached = self._advance(actor, content)
        step = f"{actor.process.task}, call {len(actor.answers) + 1}"
        yield step, later, reached
        if kills:
            yield f"{step}, killed", actor.killed, reached

    def _advance(self, actor: Actor, content: Content) -> Point:
        """Continue an actor up to after its next call, and to the end of its task if that was the last one."""
        point = actor.key, content.key
        if point not in self._advances:
            following = self._following(actor)
            if isinstance(following, Call):
                answer, content = self._effect(content, following)
                actor = replace(actor, answers=(*actor.answers, answer))
                following = self._following(actor)
            self._advances[point] = actor if isinstance(following, Call) else following, content
        return self._advances[point]

    def _following(self, actor: Actor) -> Call | Actor:
        """The next call of an actor's task, or the actor at its next task if there is none."""
        if actor.key not in self._followings:
            tap = _Continuing(actor)
            with self._functions.wire.tapped(tap), _the_same_chance(actor.process.key):
                try:
                    self._followings[actor.key] = replace(actor, process=actor.process.step(), answers=())
                except Paused as paused:
                    self._followings[actor.key] = paused.call
        return self._followings[actor.key]

    def _effect(self, content: Content, call: Call) -> tuple[Answer, Content]:
        """The answer to a call, and what the tables hold after it."""
        footprint = call.key, stable(sorted(entry for entry in content.items.items() if call.sees(entry[0])))
        if footprint not in self._effects:
            self._effects[footprint] = self._sent(content, call)
        answer, changed = self._effects[footprint]
        return answer, self._with(content, changed)

    def _sent(self, content: Content, call: Call) -> tuple[Answer, Changes]:
        """What a call that is sent is answered, and what it changes."""
        self._table.set(content.items, self._there)
        self._there = content.items
        answer = self._functions.wire.send(call)
        if call.only_reads:
            return answer, {}
        there = self._there = self._table.items()
        keys = content.items.keys() | there.keys()
        changed = {key: there.get(key) for key in keys if content.items.get(key) != there.get(key)}
        if not all(map(call.sees, changed)):
            raise UnexpectedChange(f"{call} changed {changed.keys()}")
        return answer, changed

    def _with(self, content: Content, changed: Changes) -> Content:
        if not changed:
            return content
        items = {**content.items, **changed}
        after = Content({key: item for key, item in items.items() if item is not None})
        return self._contents.setdefault(after.key, after)

    @staticmethod
    def _check(always: Callable[[Items], None], state: State, before: dict[Any, Any]) -> None:
        try:
            always(state.content.items)
        except AssertionError as broken:
            raise Violated(f"{broken}\nafter:\n{_path(state, before)}") from broken


class _Continuing:
    """Gives an actor the answers it has had, and stops it at its next call."""

    def __init__(self, actor: Actor) -> None:
        self._cut_off = actor.cut_off if actor.process.task in _UNREACHABLE else frozenset()
        self._task = actor.process.task
        self._answers = iter(actor.answers)

    def before(self, call: Call) -> Answer:
        if call.operation in _ASIDE:
            return Answer(_ASIDE[call.operation])
        if any(f"sandbox#{name}#" in call.key for name in self._cut_off):
            raise _UNREACHABLE[self._task]("cut off")
        answered = next(self._answers, None)
        if answered is None:
            raise Paused(call)
        return answered

    def after(self, call: Call, answer: Answer) -> None:
        """Nothing is sent."""


@contextmanager
def _the_same_chance(seed: str) -> Iterator[None]:
    """What is random is made of this seed for the time of the block, and of how much there was before."""
    numbers = itertools.count()

    def token_bytes(count: int) -> bytes:
        return shake_256(f"{seed} {next(numbers)}".encode()).digest(count)

    with patch.object(secrets, "token_bytes", token_bytes):
        yield


def _path(state: State, before: dict[Any, Any]) -> str:
    steps: list[str] = []
    found = before[state.key]
    while found is not None:
        state, step = found
        steps.append(step)
        found = before[state.key]
    return "\n".join(reversed(steps)) or "nothing"


def executions(functions: Functions, order_id: str, *names: str) -> dict[str, Actor]:
    """Executions of the order saga for one order, by name."""
    return {name: Actor(Saga(functions, order_id)) for name in names}


def express(functions: Functions, order_id: str, *names: str) -> dict[str, Actor]:
    """The same in the express lane."""
    return {name: Actor(Saga(functions, order_id, EXPRESS)) for name in names}


def cancellations(functions: Functions, order_id: str, *names: str) -> dict[str, Actor]:
    """Executions of the cancellation saga for one order, by name, that begin once cancellation is requested."""
    requested = Awaited(f"cancellation#{order_id}", 1, "CancellationRequested")
    return {name: Actor(Saga(functions, order_id, "order_cancellation"), after=requested) for name in names}
