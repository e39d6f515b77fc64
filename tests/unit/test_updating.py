"""Which events reach which projection and generation: live ones all, replayed ones as the replay's name says.

What one projection of several fails at is put back for it alone.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.inventory import DeliveredLine, StockReceived
from events.ordering import OrderConfirmed
from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from handlers.functions.main import counting_projections
from handlers.projections import replays
from handlers.projections.engine.generations import GenerationStore
from handlers.retry_policy import Throttled
from tests.builders.dead_letter_queue import dead_letters, queue
from tests.builders.environment import ENVIRONMENT, OWN_QUEUE, QUEUE
from tests.builders.messages import CONTEXT, failed, from_bus, sqs
from tests.builders.orders import line, placed
from tests.builders.recorded_events import record
from tests.engines.memory_table import Memory
from tests.engines.projecting import COUNTING, PROJECTIONS, STORE, counters, projecting, summed

NAMES = st.sampled_from(sorted(PROJECTIONS))
LOG = [
    record(
        StockReceived(delivery_id=f"d{number}", chunk=1, chunks=1, lines=(DeliveredLine(sku="A", quantity=number),)),
        f"delivery#d{number}",
        1,
    )
    for number in range(1, 4)
]


# Names


@given(NAMES, st.from_regex(r"[0-9a-f]{1,32}", fullmatch=True), st.integers(1, 10**9))
def test_a_replays_name_says_what_it_is_for(projection: str, unique: str, generation: int) -> None:
    rebuild = replays.for_rebuild(projection, str(generation))
    one, every = replays.for_replay(projection, unique), replays.for_replay(None, unique)
    assert replays.target_of(rebuild) == (projection, str(generation))
    assert replays.target_of(one) == (projection, None)
    assert replays.target_of(every) == (None, None)
    # What StartReplay takes.
    for name in (rebuild, one, every):
        assert len(name) <= 64
        assert name.replace(".", "").replace("_", "").replace("-", "").isalnum()


@pytest.mark.parametrize("name", ["", "by-hand", "replay", "replay.x", "rebuild.x", "replay.a.b.c", "rebuild.a.b.c"])
def test_a_replay_that_somebody_named_by_hand_is_for_every_projection(name: str) -> None:
    assert replays.target_of(name) == (None, None)


def test_a_replay_goes_by_the_rule_of_the_function_that_keeps_its_projection() -> None:
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/orders"
    assert replays.rule(bus, "order_view") == "arn:aws:events:us-east-1:123456789012:rule/orders/order_view"


# Generations


def building() -> GenerationStore:
    """The first generation is retiring, the second is live, the third is being built."""
    generations = GenerationStore(STORE.client, STORE.table)
    generations.change("stock_view", lambda known: known.opened(restart=False).switched("2").opened(restart=False))
    return generations


def deliver(*bodies: str) -> list[str]:
    return failed(counting_projections.handler(sqs(*bodies), CONTEXT))


def replayed(name: str, *bodies: str) -> list[str]:
    return [json.dumps({**json.loads(body), "replay-name": name}) for body in bodies]


def received(memory: Memory) -> dict[str, int]:
    """How much each generation has counted."""
    of = {each: counters(memory, "stock_view", each) for each in "123"}
    return {each: sums["view#stock#A", ""]["received"] for each, sums in of.items() if sums}


def test_a_live_event_goes_to_every_generation_that_is_updated() -> None:
    with projecting(LOG) as memory:
        generations = building()
        assert deliver(from_bus(LOG[0])) == []
        assert received(memory) == {"1": 1, "2": 1, "3": 1}
        generations.change("stock_view", lambda known: known.closed("2"))
        assert deliver(from_bus(LOG[1])) == []
        assert received(memory) == {"1": 1, "2": 3, "3": 3}


@pytest.mark.parametrize(
    ("name", "reached"),
    [
        ("rebuild.stock_view.3", "3"),
        ("rebuild.stock_view.9", ""),
        ("rebuild.daily_sales.3", ""),
        ("replay.daily_sales.x", ""),
        ("replay.stock_view.x", "123"),
        ("replay.all.x", "123"),
        ("by-hand", "123"),
    ],
)
def test_a_replayed_event_goes_where_its_replays_name_says_and_is_acknowledged_anyway(name: str, reached: str) -> None:
    with projecting(LOG) as memory:
        building()
        assert deliver(*replayed(name, from_bus(LOG[0]))) == []
        assert received(memory) == dict.fromkeys(reached, 1)


def test_a_replay_over_live_traffic_changes_nothing() -> None:
    with projecting(LOG) as memory:
        bodies = [from_bus(each) for each in LOG]
        assert deliver(*bodies) == []
        assert counters(memory, "stock_view") == summed(LOG, "stock_view")
        before = dict(memory.items)
        assert deliver(*replayed("replay.all.1", *bodies), *bodies) == []
        assert memory.items == before


def test_messages_that_fail_in_one_generation_are_delivered_again_and_no_others() -> None:
    class Broken(Exception):
        """A mishap."""

    def trouble(operation: str, request: object) -> None:
        if operation == "TransactWriteItems" and "applied#stock_view#3" in str(request):
            raise Broken

    with projecting(LOG) as memory:
        building()
        memory.on_call = trouble
        bodies = [from_bus(LOG[0]), *replayed("rebuild.stock_view.3", from_bus(LOG[1])), "not JSON"]
        bodies += replayed("rebuild.stock_view.1", from_bus(LOG[2]))
        assert deliver(*bodies) == ["m0", "m1", "m2"]
        assert received(memory) == {"1": 4, "2": 1}
        memory.on_call = lambda _operation, _request: None
        assert deliver(*bodies) == ["m2"]
        assert received(memory) == {"1": 4, "2": 1, "3": 3}


# Several projections of one function

ORDER = [
    record(event, "order#demo.o1", version)
    for version, event in enumerate([placed("demo.o1", line()), OrderConfirmed(order_id="demo.o1")], start=1)
]
"""What daily sales count of, and the customer history too."""


@contextmanager
def failing(memory: Memory, *projections: str) -> Iterator[None]:
    """For the time of the block, what these projections write fails."""

    def trouble(operation: str, request: object) -> None:
        if operation == "TransactWriteItems" and any(f"applied#{each}#" in str(request) for each in projections):
            raise Throttled

    memory.on_call = trouble
    yield
    memory.on_call = lambda _operation, _request: None


@pytest.fixture
def own_queue(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function's own queue, in which nothing waits long."""
    monkeypatch.setattr("handlers.runtime.postponing.PUT_BACK_SECONDS", 0)
    queue().create_queue(QueueName=OWN_QUEUE)


def counted(memory: Memory) -> set[str]:
    """The projections that have counted all there is in the log."""
    return {name for name in COUNTING if counters(memory, name) == summed([*LOG, *ORDER], name)}


def test_what_one_projection_fails_at_is_put_back_for_it_alone(own_queue: None) -> None:
    bodies = [from_bus(each) for each in (*LOG, *ORDER)]
    with projecting([*LOG, *ORDER]) as memory:
        with failing(memory, "daily_sales"):
            assert deliver(*bodies) == []
            assert counted(memory) == {"stock_view", "customer_history"}
            [share] = put_back()
            assert json.loads(share) == {"projection": "daily_sales", **json.loads(bodies[-1])}
            before = dict(memory.items)
            assert deliver(share) == ["m0"], "delivered again, as long as it fails"
            assert put_back() == []
        assert memory.items == before
        asked: list[str] = []
        memory.on_call = lambda _, request: asked.append(str(request))
        assert deliver(share) == []
        assert not [each for each in asked if "customer" in each]
        assert counted(memory) == set(COUNTING)


def test_what_all_fail_at_is_delivered_again_whole(own_queue: None) -> None:
    with projecting([*LOG, *ORDER]) as memory:
        with failing(memory, "daily_sales", "customer_history"):
            assert deliver(from_bus(LOG[0]), from_bus(ORDER[1])) == ["m1"]
        assert put_back() == []


def test_a_share_that_fails_to_the_last_is_a_dead_letter_message_that_names_its_projection(own_queue: None) -> None:
    queue().create_queue(QueueName=QUEUE)
    with projecting(ORDER) as memory:
        with failing(memory, "daily_sales"):
            deliver(from_bus(ORDER[1]))
            [share] = put_back()
            event = sqs(share, receives=MAX_RECEIVE_COUNT)
            assert failed(counting_projections.handler(event, CONTEXT)) == []
        [dead] = dead_letters()
        assert dead["Body"] == share
        assert put_back() == []
        assert deliver(dead["Body"]) == [], "redriven, it is for that projection alone"
        assert counters(memory, "daily_sales") == summed(ORDER, "daily_sales")


def test_a_projection_whose_generations_cannot_be_read_keeps_no_other_back(own_queue: None) -> None:
    def trouble(operation: str, request: object) -> None:
        if operation == "GetItem" and "projection#daily_sales" in str(request):
            raise Throttled

    with projecting(ORDER) as memory:
        memory.on_call = trouble
        assert deliver(*map(from_bus, ORDER)) == []
        assert len(put_back()) == 1
        assert counters(memory, "customer_history") == summed(ORDER, "customer_history")


def test_a_share_of_a_projection_that_is_gone_is_not_lost() -> None:
    with projecting(ORDER):
        assert deliver(json.dumps({"projection": "gone", **json.loads(from_bus(ORDER[0]))})) == ["m0"]


def put_back() -> list[str]:
    """What waits in the function's own queue, and is gone from it then."""
    received = queue().receive_message(QueueUrl=ENVIRONMENT["OWN_QUEUE_URL"], MaxNumberOfMessages=10)
    for message in received.get("Messages", []):
        queue().delete_message(QueueUrl=ENVIRONMENT["OWN_QUEUE_URL"], ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in received.get("Messages", [])]
