"""Which events reach which generation: live events every updated one, replayed events as the replay's name says."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.inventory import DeliveredLine, StockReceived
from handlers.functions.main import stock_view as stock_view_function
from handlers.projections import replays
from handlers.projections.engine.generations import GenerationStore
from tests.builders.messages import CONTEXT, failed, from_bus, sqs
from tests.builders.recorded_events import record
from tests.engines.memory_table import Memory
from tests.engines.projecting import PROJECTIONS, STORE, counters, projecting, summed

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


def test_a_replay_goes_by_the_rule_of_its_projection() -> None:
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/orders"
    assert replays.rule(bus, "order_view") == "arn:aws:events:us-east-1:123456789012:rule/orders/order_view"


# Generations


def building() -> GenerationStore:
    """The first generation is retiring, the second is live, the third is being built."""
    generations = GenerationStore(STORE.client, STORE.table)
    generations.change("stock_view", lambda known: known.opened(restart=False).switched("2").opened(restart=False))
    return generations


def deliver(*bodies: str) -> list[str]:
    return failed(stock_view_function.handler(sqs(*bodies), CONTEXT))


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
