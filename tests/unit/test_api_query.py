"""What the API answers a shop: its orders as they are and as they were. What it answers two: test_api_shops."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import streams
from events.envelope import Recorded
from events.inventory import StockLine, StockReserved, StockShipped
from events.model import DomainEvent
from events.notification import CustomerNotified
from events.ordering import (
    CancellationRequested,
    OrderCancellationRefused,
    OrderCancellationStarted,
    OrderCancelled,
    OrderConfirmed,
    OrderRejected,
    RejectionReason,
    UnknownOrderCancellationRefused,
)
from events.payments import PaymentAuthorized, PaymentCaptured
from events.privacy import CustomerErased
from events.shipping import ShipmentArranged
from handlers.api import cursors
from handlers.intake.callers import OPERATE, READ, Caller, authorized
from handlers.projections.stock_view import STOCK_VIEW
from handlers.queries.orders import OrderQueries, Position
from handlers.table.event_store import EventStore
from tests.builders.api import CALLER, OPERATOR, ask, content_of, happened, problem
from tests.builders.orders import EMAIL, TOKEN, line, order, placed
from tests.builders.recorded_events import START, record
from tests.builders.stores import append, calls, place
from tests.builders.vault import forget, remember, vault

OTHER = Caller(subject="other", client="other-web", scopes=READ, shop="other")
"""A caller of another shop."""

O1 = {"order_id": "demo.o1"}
PLACED = placed("demo.o1", line(quantity=3))
WHOLE_LIST = "demo  "
"""The list of all orders of the shop, as its cursors know it."""

DOCUMENTS = ("/openapi.json", "/docs", "/docs/start.js")
GOODS = (StockLine(sku="A", quantity=3),)
COURSE: list[tuple[str, DomainEvent, dict[str, Any]]] = [
    ("order", PLACED, {"status": "PLACED", "total": 300, "line_count": 1, "customer_id": "c1"}),
    ("reservation", StockReserved(**O1, chunk=1, chunks=1, lines=GOODS), {"stock": "reserved"}),
    (
        "payment",
        PaymentAuthorized(**O1, amount=300, currency="GBP", authorization_id="a1"),
        {"payment": "authorized"},
    ),
    ("shipment", ShipmentArranged(**O1, tracking_number="t1"), {"shipment": "arranged", "tracking_number": "t1"}),
    ("payment", PaymentCaptured(**O1, amount=300, currency="GBP"), {"payment": "captured"}),
    ("order", OrderConfirmed(**O1), {"status": "CONFIRMED"}),
    ("notification", CustomerNotified(**O1, about="OrderConfirmed", attempt=1, message_id="e1"), {}),
    ("erasure", CustomerErased(**O1, customer_id="demo.c1"), {"personal_data": "erased"}),
]
"""An order's life: stream, event, and what it changes for those who look. An event every minute."""


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def recorded(course: Sequence[tuple[str, DomainEvent, Any]]) -> list[Recorded]:
    versions: dict[str, int] = {}
    records = []
    for minute, (kind, event, _) in enumerate(course):
        version = versions[kind] = versions.get(kind, 0) + 1
        records.append(record(event, f"{kind}#demo.o1", version, at(minute) - timedelta(seconds=version)))
    return records


@pytest.fixture
def lived(store: EventStore) -> EventStore:
    """A store with the shop's order o1, confirmed."""
    happened(store, recorded(COURSE))
    return store


def put_order(
    store: EventStore, order_id: str, *after: DomainEvent, minute: int = 0, customer_id: str | None = "c1"
) -> None:
    customer = {"customer_id": customer_id} if customer_id else None
    events = [placed(order_id, customer=customer), *after]
    happened(store, [record(event, streams.order(order_id), n, at(minute)) for n, event in enumerate(events, start=1)])


# One order


@pytest.mark.parametrize("pool", [False, True])
def test_an_order_is_shown_as_it_stands(lived: EventStore, pool: bool) -> None:
    seen = content_of(ask("/orders/o1", pool=pool))
    said = {name: value for _, _, changed in COURSE for name, value in changed.items()}
    assert seen == {"order_id": "o1", "currency": "GBP", "placed_at": seen["placed_at"], **said}
    assert datetime.fromisoformat(seen["placed_at"]) == at(0)


def test_a_guests_order_is_its_shops(store: EventStore) -> None:
    put_order(store, "demo.o1", customer_id=None)
    assert "customer_id" not in content_of(ask("/orders/o1"))
    assert content_of(ask("/orders/o1/events"))["events"]
    assert [each["order_id"] for each in content_of(ask("/orders"))["orders"]] == ["o1"]


def test_a_view_that_does_not_know_its_order_yet_is_not_shown(store: EventStore) -> None:
    happened(store, [record(COURSE[2][1], streams.payment("demo.o1"), 1)])
    for caller, order_id in ((CALLER, "o1"), (OPERATOR, "demo.o1")):
        assert problem(ask(f"/orders/{order_id}", caller), 404)


def test_the_history_is_all_that_happened_in_its_order_without_the_payment_token(lived: EventStore) -> None:
    answer = ask("/orders/o1/events")
    history = content_of(answer)["events"]
    assert [(each["stream"], each["type"]) for each in history] == [
        (f"{kind}#o1", type(event).__name__) for kind, event, _ in COURSE
    ]
    assert [datetime.fromisoformat(each["occurred_at"]) for each in history] == [at(n) for n in range(len(COURSE))]
    assert [each["version"] for each in history if each["stream"] == "payment#o1"] == [1, 2]
    assert history[0]["data"]["total"] == 300
    assert TOKEN not in answer["body"]


def test_an_order_is_shown_as_it_stood_at_every_moment(lived: EventStore) -> None:
    expected: dict[str, Any] = {"order_id": "o1", "currency": "GBP"}
    for minute, (_, _, changed) in enumerate(COURSE):
        expected |= changed
        for moment in (at(minute), at(minute) + timedelta(seconds=59)):
            seen = content_of(ask("/orders/o1", as_of=moment.isoformat()))
            assert {name: seen.get(name) for name in seen if name != "placed_at"} == expected
    assert seen == content_of(ask("/orders/o1"))


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        (at(0) - timedelta(microseconds=1), None),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), None),
        (at(0).astimezone(timezone(timedelta(hours=5, minutes=30))), "PLACED"),
        (at(5).astimezone(timezone(-timedelta(hours=8))), "CONFIRMED"),
        (datetime.max.replace(tzinfo=timezone(-timedelta(hours=14))), "CONFIRMED"),
    ],
)
def test_a_moment_is_the_same_in_every_time_zone(lived: EventStore, moment: datetime, status: str | None) -> None:
    answer = ask("/orders/o1", as_of=moment.isoformat())
    assert (content_of(answer)["status"] if status else problem(answer, 404) and None) == status


# What became of a request to cancel


REQUESTED, REFUSED = CancellationRequested(**O1), OrderCancellationRefused(**O1, reason="OrderShipped")
STARTED = OrderCancellationStarted(**O1, reason="CancellationRequested")
CANCELLED = OrderCancelled(**O1, reason="CancellationRequested")


@pytest.mark.parametrize(
    ("course", "wish", "became"),
    [
        ([OrderConfirmed(**O1)], [REQUESTED], {"status": "requested"}),
        ([STARTED], [], {"status": "cancelling", "reason": "CancellationRequested"}),
        ([STARTED, CANCELLED], [], {"status": "cancelled", "reason": "CancellationRequested"}),
        ([OrderConfirmed(**O1), STARTED], [REQUESTED], {"status": "cancelling", "reason": "CancellationRequested"}),
        (
            [OrderConfirmed(**O1), STARTED, CANCELLED],
            [REQUESTED],
            {"status": "cancelled", "reason": "CancellationRequested"},
        ),
        ([OrderConfirmed(**O1)], [REQUESTED, REFUSED], {"status": "refused", "reason": "OrderShipped"}),
    ],
)
def test_what_became_of_a_request_to_cancel_is_told(
    store: EventStore, course: list[DomainEvent], wish: list[DomainEvent], became: dict[str, str]
) -> None:
    place(store)
    append(store, streams.order("demo.o1"), *course)
    append(store, streams.cancellation("demo.o1"), *wish)
    assert content_of(ask("/orders/o1/cancellation")) == {"order_id": "o1", **became}
    assert content_of(ask("/orders/demo.o1/cancellation", OPERATOR)) == {"order_id": "demo.o1", **became}


def test_a_request_to_cancel_an_order_that_never_was_is_refused_and_told_so(store: EventStore) -> None:
    assert "nobody asked" in problem(ask("/orders/o1/cancellation"), 404)
    append(store, streams.unknown_order("demo.o1"), UnknownOrderCancellationRefused(**O1))
    assert content_of(ask("/orders/o1/cancellation")) == {
        "order_id": "o1",
        "status": "refused",
        "reason": "there was no such order",
    }
    # Placed later, it is an order that nobody asked to cancel.
    place(store)
    assert "nobody asked" in problem(ask("/orders/o1/cancellation"), 404)


# Who is behind an order


def test_the_person_behind_an_order_is_shown_until_they_are_forgotten(store: EventStore) -> None:
    event = place(store, "demo.o1", line(description="Engine"))
    vault(store).keep_reason(event, "second thoughts")
    submitted = order("o1")
    shown = {
        "address": submitted["shipping_address"],
        "email": EMAIL,
        "descriptions": {"0": "Engine"},
        "cancellation_reason": "second thoughts",
    }
    assert content_of(ask("/orders/o1/events"))["person"] == shown
    assert content_of(ask("/orders/demo.o1/events", OPERATOR))["person"] == shown
    forget(store, event)
    assert content_of(ask("/orders/o1/events"))["person"] == "erased"
    assert content_of(ask("/orders/demo.o1/events", OPERATOR))["person"] == "erased"


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/orders/o1", {}),
        ("/orders/o1", {"as_of": at(9).isoformat()}),
        ("/orders", {}),
        ("/orders", {"customer_id": "c1"}),
    ],
)
def test_the_person_is_in_no_other_answer(lived: EventStore, path: str, parameters: dict[str, Any]) -> None:
    remember(lived, PLACED, order("o1", line(quantity=3)))
    answer = ask(path, **parameters)
    assert content_of(answer)
    assert not any(personal in answer["body"] for personal in (EMAIL, "Lovelace", "London", TOKEN))


def test_nobody_is_behind_what_was_rejected(store: EventStore) -> None:
    reasons = (RejectionReason(field="lines", message="too few"),)
    rejected = OrderRejected(**O1, content_hash="0" * 64, reason_count=1, reasons=reasons)
    happened(store, [record(rejected, streams.rejection("demo.o1", "0" * 64), 1)])
    history = content_of(ask("/orders/o1/events"))
    assert history.keys() == {"events"}
    assert history["events"][0]["stream"] == f"rejection#o1#{'0' * 64}"


# Lists


LISTS: tuple[dict[str, Any], ...] = (
    {},
    {"status": "CONFIRMED"},
    {"status": "PLACED"},
    {"customer_id": "c1"},
    {"customer_id": "c1", "status": "PLACED"},
    {"customer_id": "c2"},
)

Listed = list[tuple[str, str, str | None]]
"""Orders of a list: their ids, statuses and customers."""


@pytest.fixture
def orders(store: EventStore) -> Listed:
    """The shop's orders, newest first; there are another shop's, of a customer of the same number."""
    ending = [OrderCancellationStarted(**O1, reason="OutOfStock"), OrderCancelled(**O1, reason="OutOfStock")]
    histories: list[tuple[list[DomainEvent], str]] = [
        ([], "PLACED"),
        ([OrderConfirmed(**O1)], "CONFIRMED"),
        (ending, "CANCELLED"),
    ]
    mine: Listed = []
    for number, customer_id in enumerate(("c1", "c1", "c2", "c1", None, "c2", "c1", "c1", None)):
        after, status = histories[number % 3]
        put_order(store, f"demo.o{number:02}", *after, minute=number // 2, customer_id=customer_id)
        mine.append((f"o{number:02}", status, customer_id))
    for number, customer_id in ((1, "c1"), (2, "c1"), (3, None)):
        put_order(store, f"other.x{number:02}", minute=number, customer_id=customer_id)
    return mine[::-1]


def paged(limit: int, **parameters: Any) -> list[tuple[str, str]]:
    """All that the pages of a list show, one after the other."""
    found: list[tuple[str, str]] = []
    cursor: Any = {}
    for _ in range(99):
        page = content_of(ask("/orders", limit=limit, **cursor, **parameters))
        assert len(page["orders"]) <= limit
        found += [(each["order_id"], each["status"]) for each in page["orders"]]
        if "cursor" not in page:
            return found
        cursor = {"cursor": page["cursor"]}
    raise AssertionError("the list has no end")


@settings(max_examples=25)
@given(
    limit=st.integers(1, 9),
    status=st.sampled_from([None, "PLACED", "CONFIRMED", "CANCELLED", "REJECTED"]),
    customer_id=st.sampled_from([None, "c1", "c2", "c3"]),
)
def test_pages_of_any_size_show_each_order_once_newest_first(
    orders: Listed, limit: int, status: str | None, customer_id: str | None
) -> None:
    wanted = [each[:2] for each in orders if status in (None, each[1]) and customer_id in (None, each[2])]
    asked = {"status": status, "customer_id": customer_id}
    assert paged(limit, **{name: value for name, value in asked.items() if value}) == wanted


def test_a_list_shows_an_order_in_short(orders: Listed) -> None:
    for asked in LISTS[:4]:
        first = content_of(ask("/orders", limit=1, **asked))["orders"][0]
        assert first.keys() == {"order_id", "status", "currency", "total", "placed_at"}


def test_a_shop_without_orders_has_a_list_of_none(orders: Listed) -> None:
    assert content_of(ask("/orders", CALLER.model_copy(update={"shop": "new"}))) == {"orders": []}
    assert content_of(ask("/orders", customer_id="c9")) == {"orders": []}


@pytest.mark.parametrize("asked", [{}, {"customer_id": "c1"}])
def test_a_list_goes_on_where_it_was_whatever_was_placed_meanwhile(
    orders: Listed, store: EventStore, asked: dict[str, Any]
) -> None:
    first = content_of(ask("/orders", limit=2, **asked))
    put_order(store, "demo.new", minute=99)
    second = content_of(ask("/orders", limit=2, cursor=first["cursor"], **asked))
    seen = [each["order_id"] for page in (first, second) for each in page["orders"]]
    before = [order_id for order_id, _, customer_id in orders if asked.get("customer_id") in (None, customer_id)]
    assert seen == before[:4]


def test_a_cursor_is_good_for_its_own_list_alone(orders: Listed) -> None:
    for asked in LISTS:
        cursor = content_of(ask("/orders", limit=1, **asked))["cursor"]
        assert content_of(ask("/orders", cursor=cursor, **asked))
        assert "cursor" in problem(ask("/orders", OTHER, cursor=cursor, **asked), 404)
        assert "cursor" in problem(ask("/orders", OPERATOR, cursor=cursor, **asked), 404)
        for other in LISTS:
            assert other == asked or "cursor" in problem(ask("/orders", cursor=cursor, **other), 404)


def test_a_damaged_cursor_leads_nowhere_and_what_cannot_be_one_is_refused(orders: Listed) -> None:
    cursor = content_of(ask("/orders", limit=2))["cursor"]
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    changed = [raw[:n] + bytes([raw[n] ^ 1]) + raw[n + 1 :] for n in range(0, len(raw), 5)]
    damaged = [
        base64.urlsafe_b64encode(each).decode().rstrip("=") for each in (*changed, raw[:-1], raw + b" ", raw[12:])
    ]
    for each in (*damaged, cursor[:-2], f"{cursor}AAAA", "x", "AAAA" * 200):
        assert "cursor" in problem(ask("/orders", cursor=each), 404)
    for each in ("", " ", "é", "!", "\x00", f"{cursor}=", "A" * 1025):
        assert "cursor" in problem(ask("/orders", cursor=each), 400)


@pytest.mark.parametrize(
    "forged",
    [
        {"generation": "1", "sort_key": ""},
        {"generation": "1", "sort_key": "x" * 257},
        {"generation": "1", "sort_key": 1},
        {"generation": "1", "sort_key": None},
        {"generation": "1"},
        {"generation": "1", "sort_key": "x", "shop": "other"},
        {"sort_key": "x"},
        {"generation": "", "sort_key": "x"},
        {"generation": "of another time", "sort_key": "x"},
        [],
    ],
)
def test_a_made_up_cursor_leads_nowhere_where_it_is_no_position(store: EventStore, forged: Any) -> None:
    class Forged:
        def model_dump_json(self) -> str:
            return json.dumps(forged)

    cursor = cursors.encode(Forged(), WHOLE_LIST)  # type: ignore[arg-type]
    assert "cursor" in problem(ask("/orders", cursor=cursor), 404)


def test_a_made_up_cursor_leads_to_the_callers_own_orders_at_most(orders: Listed) -> None:
    between = cursors.encode(Position(generation="1", sort_key=f"{at(2).isoformat()}#other.x02"), WHOLE_LIST)
    listed = [each["order_id"] for each in content_of(ask("/orders", limit=100, cursor=between))["orders"]]
    assert listed
    assert set(listed) <= {order_id for order_id, *_ in orders}


# Stock


def test_stock_is_what_is_available_now_and_what_was_counted(store: EventStore) -> None:
    for sku, available in (("A", 7), ("B", 0)):
        level = {"PK": {"S": f"level#{sku}"}, "SK": {"S": "level"}, "available": {"N": str(available)}}
        store.client.put_item(TableName=store.table, Item=level)
    lines = (StockLine(sku="A", quantity=2),)
    for order_id in ("demo.o1", "other.o1"):
        reserved = StockReserved(order_id=order_id, chunk=1, chunks=1, lines=lines)
        STOCK_VIEW.on(store).apply("1", append(store, streams.reservation(order_id), reserved))
    shipped = StockShipped(order_id="demo.o1", chunk=1, lines=lines)
    STOCK_VIEW.on(store).apply("1", append(store, streams.reservation("demo.o1"), shipped))
    assert content_of(ask("/stock/A", OTHER)) == {"sku": "A", "available": 7, "reserved": 2, "shipped": 2}
    assert content_of(ask("/stock/B", OTHER)) == {"sku": "B", "available": 0, "reserved": 0, "shipped": 0}
    assert "C" in problem(ask("/stock/C"), 404)


def test_a_question_about_stock_costs_two_reads(store: EventStore) -> None:
    level = {"PK": {"S": "level#A"}, "SK": {"S": "level"}, "available": {"N": "7"}}
    store.client.put_item(TableName=store.table, Item=level)
    content_of(ask("/stock/A"))
    with calls(store.client) as made:
        content_of(ask("/stock/A"))
    assert made == ["GetItem", "GetItem"]


# Only what changed


def tag_of(answer: dict[str, Any]) -> str:
    [tag] = answer["multiValueHeaders"]["ETag"]
    return str(tag)


@pytest.mark.parametrize("path", ["/orders/o1", "/orders/o1/events", "/orders/o1/cancellation", "/orders", *DOCUMENTS])
def test_what_the_caller_has_is_not_sent_again(lived: EventStore, path: str) -> None:
    append(lived, streams.cancellation("demo.o1"), REQUESTED)
    whole = ask(path)
    assert whole["statusCode"] == 200
    tag = tag_of(whole)
    for known in (tag, f"W/{tag}", f'"x", {tag}', f'"x",W/{tag} ,"y"', "*"):
        for header in ("If-None-Match", "if-none-match"):
            again = ask(path, headers={header: known})
            assert (again["statusCode"], again["body"]) == (304, "")
            assert tag_of(again) == tag


def test_what_changed_is_sent_with_another_tag(store: EventStore) -> None:
    put_order(store, "demo.o1")
    before = ask("/orders/o1")
    happened(store, [record(OrderConfirmed(**O1), streams.order("demo.o1"), 2)])
    for known in (tag_of(before), '"x"', tag_of(before).strip('"'), ""):
        after = ask("/orders/o1", headers={"If-None-Match": known})
        assert content_of(after)["status"] == "CONFIRMED"
        assert tag_of(after) != tag_of(before)


def test_nobody_learns_by_a_tag_whether_an_order_is_there(lived: EventStore) -> None:
    for known in (tag_of(ask("/orders/o1")), "*"):
        answer = ask("/orders/o1", OTHER, headers={"If-None-Match": known})
        assert problem(answer, 404)
        assert "ETag" not in answer["multiValueHeaders"]


# What may be done with an answer


def headers_of(answer: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, [value] in answer["multiValueHeaders"].items()}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/orders/o1", 200),
        ("/orders/o1/events", 200),
        ("/orders", 200),
        ("/stock/A", 404),
        ("/orders/o2", 404),
        ("/orders/o1/cancellation", 404),
        ("/orders/other.o1", 404),
        ("/nowhere", 404),
        ("/docs/nothing.js", 404),
        (f"/orders/{'o' * 48}", 400),
    ],
)
def test_no_cache_keeps_what_is_somebodys_own_or_an_error(lived: EventStore, path: str, status: int) -> None:
    answer = ask(path)
    assert answer["statusCode"] == status
    assert headers_of(answer)["Cache-Control"] == "private, no-store"
    again = ask(path, headers={"If-None-Match": "*"})
    assert headers_of(again)["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("path", DOCUMENTS)
def test_every_cache_may_keep_the_documents(store: EventStore, path: str) -> None:
    for answer in (ask(path), ask(path, headers={"If-None-Match": "*"})):
        assert headers_of(answer)["Cache-Control"] == "public, max-age=3600"
        assert headers_of(answer)["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", ["/orders/o1", "/orders/o2", "/nowhere", "/stock/a.b", *DOCUMENTS])
def test_every_answer_is_of_the_type_it_names_and_over_tls_alone(lived: EventStore, path: str) -> None:
    headers = headers_of(ask(path))
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Strict-Transport-Security"] == "max-age=31536000"


# What goes wrong


@pytest.mark.parametrize(
    ("path", "parameters", "named"),
    [
        ("/orders", {"limit": 0}, "limit"),
        ("/orders", {"limit": 101}, "limit"),
        ("/orders", {"limit": -1}, "limit"),
        ("/orders", {"limit": "many"}, "limit"),
        ("/orders", {"limit": "1e9"}, "limit"),
        ("/orders", {"limit": ""}, "limit"),
        ("/orders", {"limit": "9" * 5000}, "limit"),
        ("/orders", {"limit": "1.0"}, "limit"),
        ("/orders", {"limit": "+1"}, "limit"),
        ("/orders", {"limit": " 1"}, "limit"),
        ("/orders", {"limit": "1_0"}, "limit"),
        ("/orders", {"limit": "\u0661"}, "limit"),
        ("/orders", {"status": "placed"}, "status"),
        ("/orders", {"status": ""}, "status"),
        ("/orders/o1", {"as_of": "yesterday"}, "as_of"),
        ("/orders/o1", {"as_of": ""}, "as_of"),
        ("/orders/o1", {"as_of": "2026-01-02T03:04:05"}, "as_of"),
        ("/orders/o1", {"as_of": "2026-13-02T03:04:05Z"}, "as_of"),
        ("/orders/o1", {"as_of": "1e400"}, "as_of"),
        ("/orders", {"customer_id": ""}, "customer_id"),
        ("/orders", {"customer_id": "c 1"}, "customer_id"),
        ("/orders", {"customer_id": "c" * 65}, "customer_id"),
        ("/orders", {"customer_id": "Other.c1"}, "customer_id"),
        *((f"/orders/{'o' * 48}{more}", {}, "order_id") for more in ("", "/events", "/cancellation")),
        ("/orders/o%231", {}, "order_id"),
        ("/orders/other.x.o1", {}, "order_id"),
        ("/orders/Other.o1", {}, "order_id"),
        ("/orders/.o1", {}, "order_id"),
        ("/stock/a.b", {}, "sku"),
    ],
)
def test_an_invalid_parameter_is_a_problem_that_names_it(path: str, parameters: dict[str, Any], named: str) -> None:
    detail = problem(ask(path, **parameters), 400)
    assert detail.startswith(f"{named}: ")
    assert "Traceback" not in detail


@given(
    path=st.sampled_from(["/orders", "/orders/{}", "/orders/{}/events", "/orders/{}/cancellation", "/stock/{}"]),
    name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
    parameters=st.dictionaries(
        st.sampled_from(["limit", "cursor", "status", "customer_id", "as_of", "other"]),
        st.text(st.characters(codec="utf-8")),
        max_size=2,
    ),
)
@settings(max_examples=60)
def test_no_request_makes_the_function_fail(lived: EventStore, path: str, name: str, parameters: Any) -> None:
    for caller in (CALLER, OPERATOR):
        assert ask(path.replace("{}", name), caller, **parameters)["statusCode"] in {200, 400, 404}


@pytest.mark.parametrize("path", ["/", "/orders/o1/cancellation/1", "/orders/o1/events/1", "/stock", "/orders/"])
def test_what_is_not_there_is_a_problem_too(store: EventStore, path: str) -> None:
    answer = ask(path)
    assert answer["statusCode"] in {200, 404} if path == "/orders/" else problem(answer, 404)


def test_our_own_trouble_is_logged_and_not_shown(
    store: EventStore, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_orders: OrderQueries, _order_id: str) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(OrderQueries, "order", broken)
    answer = ask("/orders/o1")
    assert problem(answer, 500) == "this is our fault; try again"
    assert not any(detail in json.dumps(answer) for detail in ("secret", "Traceback", "ZeroDivision", ".py"))
    assert "ETag" not in answer["multiValueHeaders"]
    assert "ZeroDivisionError: a secret" in logged.getvalue()


# Who asks


@pytest.mark.parametrize(
    ("authorizer", "caller"),
    [
        (
            {"claims": {"sub": "a", "client_id": "b", "scope": f"{READ} {OPERATE}"}},
            Caller(subject="a", client="b", scopes=f"{READ} {OPERATE}"),
        ),
        (
            {"subject": "a", "client": "b", "scopes": READ, "shop": "demo", "principalId": "c"},
            Caller(subject="a", client="b", scopes=READ, shop="demo"),
        ),
        (
            {"subject": "a", "client": "b", "scopes": OPERATE, "shop": ""},
            Caller(subject="a", client="b", scopes=OPERATE),
        ),
    ],
)
def test_who_asks_is_read_from_either_authorizer(authorizer: dict[str, Any], caller: Caller) -> None:
    assert authorized(authorizer) == caller


@pytest.mark.parametrize(
    ("scopes", "operates"), [(OPERATE, True), (f"{READ} {OPERATE}", True), ("", False), (f"x{OPERATE}", False)]
)
def test_operating_is_a_scope_of_its_own(scopes: str, operates: bool) -> None:
    assert Caller(subject="a", client="b", scopes=scopes).operates == operates
