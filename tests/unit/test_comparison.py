"""Comparing a generation with the log: pages of any size, samples, and traffic that goes on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.model import DomainEvent
from events.ordering import OrderConfirmed, OrderRejected
from events.payments import PaymentAuthorized
from handlers.projections.engine import scan
from handlers.projections.engine.projection import by_stream
from handlers.projections.engine.scan import Segment
from handlers.projections.rebuild.comparison import Comparison, Tally
from handlers.projections.registry import named
from handlers.retry_policy import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, MAX_ATTEMPTS
from tests.builders.generated_log import run
from tests.builders.orders import placed
from tests.builders.recorded_events import START, image, record
from tests.engines.memory_table import Memory
from tests.engines.projecting import PROJECTIONS, STORE, projecting

LOG = run(6, seed=2)
NAMES = sorted(PROJECTIONS)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, in no time."""
    waited: list[float] = []
    monkeypatch.setattr("handlers.retry_policy.time.sleep", waited.append)
    return waited


def compared(name: str, *, segments: int = 1, at_once: int = 1_000, share: float = 1.0) -> Tally:
    """A comparison of the whole table, by calls that take ``at_once`` pages each."""
    whole = Tally()
    for number in range(segments):
        after, done = None, False
        while not done:
            comparison = Comparison(named(name), "1", STORE, share=share)
            for taken, page in enumerate(
                scan.pages(STORE.client, STORE.table, Segment(number, segments), after), start=1
            ):
                comparison.take(page.items)
                after, done = page.cursor, page.cursor is None
                if taken == at_once:
                    break
            tally = comparison.settled()
            whole.streams += tally.streams
            whole.compared += tally.compared
            whole.differing += tally.differing
            whole.unknown += tally.unknown
            whole.counters_off_by += tally.counters_off_by
    return whole


def applied(memory: Memory) -> None:
    for projection in PROJECTIONS.values():
        assert projection.apply("1", LOG) == {}


@given(st.sampled_from(NAMES), st.integers(1, 40), st.integers(1, 3), st.integers(1, 4))
@settings(max_examples=40)
def test_however_streams_are_split_over_pages_calls_and_segments_each_is_compared_once(
    name: str, page: int, segments: int, at_once: int
) -> None:
    with projecting(LOG, page=page) as memory:
        applied(memory)
        tally = compared(name, segments=segments, at_once=at_once)
    streams = len(by_stream(LOG))
    assert (tally.streams, tally.compared, tally.differing, tally.unknown) == (streams, streams, [], [])
    assert tally.counters_off_by == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_stream_that_was_not_applied_is_named(name: str) -> None:
    with projecting(LOG, page=4):
        tally = compared(name)
    expected = {stream for stream in by_stream(LOG) if shows(name, stream)}
    assert set(tally.differing) == expected
    assert len(tally.differing) == len(expected) > 0


def shows(name: str, stream: str) -> bool:
    """Whether a projection shows something of a stream."""
    with projecting(LOG) as memory:
        assert PROJECTIONS[name].apply("1", by_stream(LOG)[stream]) == {}
        return bool(memory.under("view#"))


def test_counters_are_summed_over_all_streams_whatever_the_sample() -> None:
    with projecting(LOG) as memory:
        applied(memory)
        key = next(key for key in memory.under("view#stock#"))
        memory.items[key] = {**memory.items[key], "received": {"N": "123456"}}
        tally = compared("stock_view", share=0.2)
    assert tally.compared < tally.streams
    assert tally.differing == []
    assert tally.counters_off_by != 0


OF_A_GUEST = {
    "order#demo.g1": [placed("demo.g1", customer=None), OrderConfirmed(order_id="demo.g1")],
    "payment#demo.g1": [PaymentAuthorized(order_id="demo.g1", amount=100, currency="GBP")],
}
REJECTED = {
    "rejection#demo.r1#h": [OrderRejected(order_id="demo.r1", content_hash="h", reasons=(), reason_count=1)],
}
IN_CUSTOMERS_LIST = {"GSI1PK": "1#customer#demo.c1", "GSI1SK": "2026-01-02"}


@pytest.mark.parametrize(
    ("histories", "left", "stream"),
    [
        pytest.param(histories, left, stream, id=f"{stream} {' '.join(left)}")
        for histories, left, stream in (
            (OF_A_GUEST, {"customer_id": "demo.c1"}, "order#demo.g1"),
            (OF_A_GUEST, IN_CUSTOMERS_LIST, "order#demo.g1"),
            (OF_A_GUEST, {"reason": "OutOfStock"}, "order#demo.g1"),
            (OF_A_GUEST, {"payment_reason": "closed"}, "payment#demo.g1"),
            (OF_A_GUEST, {"stock": "reserved"}, "order#demo.g1"),
            (OF_A_GUEST, {"rejection": "lines: wrong"}, "order#demo.g1"),
            (OF_A_GUEST, {"e_mail": "ada@customers.example"}, "order#demo.g1"),
            (REJECTED, {"customer_id": "demo.c1"}, "rejection#demo.r1#h"),
            (REJECTED, IN_CUSTOMERS_LIST, "rejection#demo.r1#h"),
            (REJECTED, {"total": "100"}, "rejection#demo.r1#h"),
            (REJECTED, {"payment": "captured"}, "rejection#demo.r1#h"),
        )
    ],
)
def test_what_a_view_has_and_the_log_does_not_give_is_a_difference(
    histories: dict[str, list[DomainEvent]], left: dict[str, str], stream: str
) -> None:
    """As the customer of a rejected submission that stayed in the view when a guest's order took its id."""
    log = [record(event, of, version) for of, events in histories.items() for version, event in enumerate(events, 1)]
    with projecting(log) as memory:
        assert PROJECTIONS["order_view"].apply("1", log) == {}
        assert compared("order_view").differing == []
        [key] = memory.under("view#order#")
        memory.items[key] = {**memory.items[key], **{name: {"S": value} for name, value in left.items()}}
        tally = compared("order_view")
    assert stream in tally.differing
    assert tally.unknown == []


def test_what_goes_on_differing_is_checked_again_as_the_retry_policy_says(waits: list[float]) -> None:
    with projecting(LOG) as memory:
        applied(memory)
        del memory.items[next(key for key in memory.under("view#order#"))]
        assert compared("order_view").differing
    assert len(waits) == MAX_ATTEMPTS - 1
    assert sum(waits[:2]) < 5 * FIRST_WAIT_SECONDS
    assert max(waits) <= 1.5 * LONGEST_WAIT_SECONDS


@pytest.mark.parametrize("name", ["order_view", "customer_history"])
def test_an_event_that_arrives_while_it_is_compared_is_no_difference(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event is in the log before it is in the view; when the view is checked again, it is there."""
    stream = next(each for each, history in by_stream(LOG).items() if each[:6] == "order#" and len(history) == 1)
    late = record(OrderConfirmed(order_id=stream[6:]), stream, 2, START)
    with projecting(LOG) as memory:
        applied(memory)
        memory.put([image(late)])
        monkeypatch.setattr("handlers.retry_policy.time.sleep", lambda _: PROJECTIONS[name].apply("1", [late]))
        assert compared(name).differing == []


def test_an_event_applied_after_its_stream_was_read_is_not_unknown() -> None:
    """The view is ahead of the page that has its stream: the log has the event by the time it is read again."""
    stream = next(each for each, history in by_stream(LOG).items() if each[:6] == "order#" and len(history) == 1)
    late = record(OrderConfirmed(order_id=stream[6:]), stream, 2, START)
    with projecting(LOG) as memory:
        applied(memory)
        comparison = Comparison(named("order_view"), "1", STORE)
        comparison.take([image(each) for each in LOG])
        memory.put([image(late)])
        assert PROJECTIONS["order_view"].apply("1", [late]) == {}
        comparison.take(list(memory.under("view#").values()))
        tally = comparison.settled()
    assert (tally.differing, tally.unknown) == ([], [])


def test_an_event_that_cannot_be_read_is_named() -> None:
    with projecting(LOG) as memory:
        memory.put([{**image(LOG[0]), "type": {"S": "OrderForgotten"}}])
        with pytest.raises(scan.Unreadable, match="delivery#d1 event#0000000001"):
            compared("order_view")
