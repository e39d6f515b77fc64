"""Starts are lost and executions die, at random and anywhere: with the sweep, every order is decided in the end.

Everything here is drawn from a seed: which starts are lost, at which call an execution dies and whether that call is
done, who asks to cancel when, which views lag, when Step Functions is busy, and who takes the next step. Only what the
sweep starts goes on to its end, as a Standard execution does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from events.shops import own_id
from infra.local.emulator.process import Emulator
from tests.builders.environment import CANCELLATION_SAGA, ORDER_SAGA
from tests.builders.messages import domain_event, integration_event, sqs
from tests.crash.cases import log as log_items
from tests.engines.saga_machine import Execution, definition
from tests.engines.wire import Answer, Call, Fault, Killed, Trouble
from tests.engines.world import World
from tests.engines.world import world as world_for_the_block
from tests.saga.balance import check_always, log, settled
from tests.saga.scene import KINDS

SEEDS = (0, 1)
ORDERS = 12
MOMENTS = 300
"""At each, something happens."""

LOST = 0.3
"""How much of the starts."""

BUSY = 0.1
"""How often Step Functions throttles; and how often it starts an execution, and its answer gets lost."""

IMMORTAL = 1000
"""More calls than an execution makes."""

ROUNDS = 10
"""Runs of the sweep after that, at most: Step Functions may be busy again and again."""

MACHINES = {
    arn: definition(name) for arn, name in ((ORDER_SAGA, "order_saga"), (CANCELLATION_SAGA, "order_cancellation"))
}


@pytest.fixture(scope="module")
def world(emulator: Emulator) -> Iterator[World]:
    with world_for_the_block(emulator) as world:
        yield world


class Mortal:
    """An execution that a rule started, and how many calls of its functions it lives for."""

    def __init__(self, execution: Execution, calls: int, chance: Random, world: World) -> None:
        self._execution = execution
        self._left = calls
        self._chance = chance
        self._world = world

    def step(self) -> bool:
        """Take a step; returns whether there is another."""
        fault = Fault(self._left + 1, self._chance.choice([Trouble.KILLED_BEFORE, Trouble.KILLED_AFTER]))
        try:
            with self._world.functions.wire.tapped(fault):
                self._execution.step()
        except Killed:
            return False
        self._left -= len(fault.calls)
        return not self._execution.done


class StepFunctions:
    """A tap behind which Step Functions and Lambda answer the sweep. ``started`` has executions by machine and name."""

    def __init__(self, world: World, chance: Random) -> None:
        self._world = world
        self._chance = chance
        self.started: dict[tuple[str, str], Execution] = {}

    def before(self, call: Call) -> Answer | None:
        match call.operation:
            case "ListEventSourceMappings":
                return Answer({"EventSourceMappings": []})
            case "StartExecution":
                return self._start(call.parameters)
        return None

    def after(self, call: Call, answer: Answer) -> None:
        """Other calls are answered."""

    def _start(self, asked: Mapping[str, Any]) -> Answer:
        place = asked["stateMachineArn"], asked["name"]
        if place in self.started and self.started[place].done:
            return _refused("ExecutionAlreadyExists")
        trouble = self._chance.random()
        if trouble < BUSY:
            return _refused("ThrottlingException")
        if place not in self.started:
            self.started[place] = execution(self._world, *place)
        if trouble > 1 - BUSY:
            raise ReadTimeoutError(endpoint_url="the emulator")
        return Answer({"executionArn": "arn", "startDate": self._world.now})


def _refused(code: str) -> Answer:
    return Answer({"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": 400}})


def execution(world: World, machine: str, order_id: str) -> Execution:
    return Execution(MACHINES[machine], order_id, world.functions.invoke)


class Chaos:
    """Orders, and all that befalls them."""

    def __init__(self, world: World, seed: int, *, swept: bool = True) -> None:
        self.world = world
        self._swept = swept
        self.chance = Random(seed)
        self.machines = StepFunctions(world, self.chance)
        self.mortal: list[Mortal] = []
        self.placed: list[str] = []
        world.begin({})
        world.stocked(apple=60, pear=8, plum=60)
        world.forget()

    def rage(self) -> None:
        """Let things happen, until no execution goes on."""
        for _ in range(MOMENTS):
            self._happen()
        self.calm_down()
        assert len(self.placed) == ORDERS

    def calm_down(self) -> None:
        """Let every execution come to its end, or die."""
        while self._step():
            pass

    def _happen(self) -> None:
        match self.chance.choices(("place", "ask", "step", "project", "sweep"), (8, 2, 40, 6, 1))[0]:
            case "place" if len(self.placed) < ORDERS:
                self._place(f"demo.o{len(self.placed)}")
            case "ask" if self.placed:
                self._ask(self.chance.choice(self.placed))
            case "project" if self.placed:
                self.project(self.chance.choice(self.placed), newest=False)
            case "sweep" if self._swept:
                self.sweep()
            case _:
                self._step()

    def _place(self, order_id: str) -> None:
        kind = KINDS[self.chance.choice(["approve", self.chance.choice(sorted(KINDS))])]
        self.world.placed(order_id, **kind.order)
        self.placed.append(order_id)
        self._rule_starts(ORDER_SAGA, order_id)

    def _ask(self, order_id: str) -> None:
        """The customer asks to cancel the order."""
        asked = integration_event("OrderCancellationRequested", {"order_id": own_id(order_id)})
        self.world.deliver("order_intake", sqs(asked))
        if f"cancellation#{order_id}" in log(self.world.table.items()):
            self._rule_starts(CANCELLATION_SAGA, order_id)

    def _rule_starts(self, machine: str, order_id: str) -> None:
        if self.chance.random() < LOST:
            return
        lives = self.chance.choice([self.chance.randrange(40), IMMORTAL])
        self.mortal.append(Mortal(execution(self.world, machine, order_id), lives, self.chance, self.world))

    def project(self, order_id: str, *, newest: bool) -> None:
        """Let the order's view see its events, or only some of the first of each stream."""
        events = [item for item in log_items(self.world) if item["PK"]["S"].endswith(f"#{order_id}")]
        upto = 9 if newest else self.chance.randint(1, 3)
        seen = [domain_event(item) for item in events if int(item["SK"]["S"].rpartition("#")[2]) <= upto]
        self.world.deliver("order_view", sqs(*seen))

    def sweep(self) -> None:
        """One run of the sweep."""
        with self.world.functions.wire.tapped(self.machines):
            self.world.functions.invoke("sweep", {})

    def _step(self) -> bool:
        """Let some execution take its next step; returns whether there was one to take."""
        live = [each for each in self.machines.started.values() if not each.done]
        mixed: list[Mortal | Execution] = [*self.mortal, *live]
        chosen = self.chance.choice(mixed) if mixed else None
        if isinstance(chosen, Execution):
            chosen.step()
        elif chosen is not None and not chosen.step():
            self.mortal.remove(chosen)
        return chosen is not None

    def undecided(self) -> set[str]:
        """The orders without an outcome, and those with a request that has no answer."""
        streams = log(self.world.table.items())
        found = {each for each in self.placed if streams[f"order#{each}"][-1][0] in WITHOUT_OUTCOME}
        return found | {
            each
            for each in self.placed
            if streams[f"order#{each}"][-1][0] == "OrderConfirmed" and len(streams[f"cancellation#{each}"]) == 1
        }


WITHOUT_OUTCOME = {"OrderPlaced", "OrderCancellationStarted"}


def test_every_order_is_decided_in_the_end_once_and_everybody_is_told_once(world: World) -> None:
    healed = set[str]()
    for seed in SEEDS:
        chaos = Chaos(world, seed)
        chaos.rage()
        for _ in range(ROUNDS):
            for order_id in chaos.placed:
                chaos.project(order_id, newest=True)
            world.now += timedelta(minutes=15)
            chaos.sweep()
            chaos.calm_down()
            if not chaos.undecided():
                break
        assert chaos.undecided() == set()
        items = world.table.items()
        check_always(items)
        assert {settled(items, order_id).status for order_id in chaos.placed} == {"CONFIRMED", "CANCELLED"}
        assert {each.outcome.status for each in chaos.machines.started.values() if each.outcome} == {"SUCCEEDED"}
        tell_everybody_twice(world)
        healed |= {machine for machine, _ in chaos.machines.started}
    assert healed == MACHINES.keys(), "each saga had a start that was lost, or an execution that died"


def test_without_the_sweep_orders_stand_still(world: World) -> None:
    chaos = Chaos(world, 0, swept=False)
    chaos.rage()
    assert chaos.undecided() != set()


def tell_everybody_twice(world: World) -> None:
    """Each outcome is told by one e-mail, however often its event comes."""
    outcomes = [item for item in log_items(world) if item["type"]["S"] in {"OrderConfirmed", "OrderCancelled"}]
    for item in (*outcomes, *outcomes):
        world.deliver("order_emails", sqs(domain_event(item)))
    left = world.left("order_emails")
    assert set(left.notified.values()) <= {1}
    assert left.take_overs == 0
    assert left.emails.total() == left.notified.total() >= len({item["PK"]["S"] for item in outcomes})
