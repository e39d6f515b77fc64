"""The contract: what its models take and refuse, and that stored JSON always becomes the event it was."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from events import catalog, currencies, shops, streams
from events.envelope import Actor, Metadata, event_id
from events.integration import (
    MAX_LINES,
    Address,
    Customer,
    OrderCancellationRequested,
    OrderSubmitted,
    ShipmentStatusReported,
    StockDelivered,
)
from events.model import Currency, CustomerId, DomainEvent, Id, OrderId, OwnOrderId, Shop
from events.ordering import Destination, OrderCancelled, OrderConfirmed
from events.upcasting import UPCASTERS
from tests.builders.json_schemas import allowed_by
from tests.builders.orders import line, order

ID: TypeAdapter[str] = TypeAdapter(Id)
CURRENCY: TypeAdapter[str] = TypeAdapter(Currency)


def submitted(content: Any) -> OrderSubmitted:
    return OrderSubmitted.model_validate_json(json.dumps(content))


def wrong_fields(content: Any) -> set[str]:
    with pytest.raises(ValidationError) as refused:
        submitted(content)
    return {".".join(map(str, error["loc"])) for error in refused.value.errors()}


@pytest.mark.parametrize("usable", ["a", "A-z_09", "x" * 64])
def test_usable_ids(usable: str) -> None:
    assert ID.validate_python(usable) == usable


@pytest.mark.parametrize("unusable", ["", "x" * 65, "a b", "a#b", "é", "a\n", "\n", "a.b", "a/b", "٣"])
def test_unusable_ids(unusable: str) -> None:
    with pytest.raises(ValidationError):
        ID.validate_python(unusable)


IDS_OF: dict[str, tuple[Any, list[str], list[str]]] = {
    "a shop": (Shop, ["a", "demo2", "x" * 16], ["", "x" * 17, "Demo", "de-mo", "de.mo", "de_mo", "demo\n", "é"]),
    "an order, at its shop's doors": (
        OwnOrderId,
        ["a", "A-z_09", "x" * 47],
        ["", "x" * 48, "demo.o1", "a b", "a#b", "o1\n"],
    ),
    "an order": (
        OrderId,
        ["demo.o1", "1.A-z_09", f"{'x' * 16}.{'x' * 47}"],
        ["", "o1", "demo.", ".o1", "demo.o.1", "Demo.o1", "demo.a#b", f"{'x' * 17}.o1", f"x.{'x' * 48}", "demo.o1\n"],
    ),
    "a customer": (
        CustomerId,
        ["demo.17850", f"{'x' * 16}.{'x' * 64}"],
        ["", "17850", "demo.", ".1", "demo.1.2", "Demo.1", f"x.{'x' * 65}"],
    ),
}


@pytest.mark.parametrize("whose", IDS_OF)
def test_ids_of_shops_and_of_what_is_theirs(whose: str) -> None:
    kind, usable, unusable = IDS_OF[whose]
    ids: TypeAdapter[str] = TypeAdapter(kind)
    assert [ids.validate_python(each) for each in usable] == usable
    for each in unusable:
        with pytest.raises(ValidationError):
            ids.validate_python(each)


SHOPS = st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True)
OWN_IDS = st.from_regex(r"[A-Za-z0-9_-]{1,47}", fullmatch=True)


@given(SHOPS, OWN_IDS)
def test_what_is_a_shops_says_which_shop_and_what_the_shop_calls_it(shop: str, own_id: str) -> None:
    order_id = shops.of_shop(shop, own_id)
    assert TypeAdapter(OrderId).validate_python(order_id) == order_id
    assert (shops.shop_of(order_id), shops.own_id(order_id)) == (shop, own_id)


@pytest.mark.parametrize(("code", "decimals"), [("GBP", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)])
def test_currencies_and_their_minor_units(code: str, decimals: int) -> None:
    assert CURRENCY.validate_python(code) == code
    assert currencies.MINOR_UNITS[code] == decimals


@pytest.mark.parametrize("code", ["XXX", "XAU", "gbp", "GB", "POUND", "", "HRK"])
def test_no_currency(code: str) -> None:
    with pytest.raises(ValidationError):
        CURRENCY.validate_python(code)


def test_each_currency_is_listed_once() -> None:
    assert sum(len(codes.split()) for codes in currencies.CODES_BY_MINOR_UNIT.values()) == len(currencies.MINOR_UNITS)


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"unknown": 1}, "unknown"),
        ({"order_id": 7}, "order_id"),
        ({"order_id": "demo.o1"}, "order_id"),
        ({"currency": "XXX"}, "currency"),
        ({"lines": []}, "lines"),
        ({"lines": [line(quantity=0)]}, "lines.0.quantity"),
        ({"lines": [line(), line(quantity=-1)]}, "lines.1.quantity"),
        ({"lines": [line(quantity=1_000_001)]}, "lines.0.quantity"),
        ({"lines": [line() | {"quantity": "1"}]}, "lines.0.quantity"),
        ({"lines": [line() | {"quantity": 1.0}]}, "lines.0.quantity"),
        ({"lines": [line() | {"quantity": True}]}, "lines.0.quantity"),
        ({"lines": [line(unit_price=-1)]}, "lines.0.unit_price"),
        ({"lines": [line(unit_price=10**15 + 1)]}, "lines.0.unit_price"),
        ({"lines": [line(sku="a b")]}, "lines.0.sku"),
        ({"lines": [line(description="d" * 257)]}, "lines.0.description"),
        ({"customer": {"customer_id": "c1", "email": "nowhere"}}, "customer.email"),
        ({"customer": {"email": "a@b.c", "customer_id": ""}}, "customer.customer_id"),
        ({"customer": {"customer_id": "demo.c1"}}, "customer.customer_id"),
        ({"shipping_address": {**order()["shipping_address"], "country": "gb"}}, "shipping_address.country"),
        ({"payment_token": ""}, "payment_token"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(changed: dict[str, Any], wrong: str) -> None:
    assert wrong in wrong_fields(order(**changed))


def test_limits_are_inclusive() -> None:
    at_the_limit = submitted(order("x" * 47, *[line("s" * 64, 1_000_000, 10**15)] * MAX_LINES))
    assert len(at_the_limit.lines) == 1_000
    assert wrong_fields(order("o1", *[line()] * (MAX_LINES + 1))) == {"lines"}


def test_a_guest_and_an_order_over_nothing_are_welcome() -> None:
    guest = submitted(order("o1", line(unit_price=0), customer=None))
    assert guest.customer is None
    assert submitted(order(customer={"customer_id": "c1"})).customer == Customer(customer_id="c1")
    assert submitted(order(customer={"email": "a@b.c"})).customer == Customer(email="a@b.c")


def test_other_integration_events_and_whose_ids_they_name_orders_by() -> None:
    asked = OrderCancellationRequested.model_validate_json('{"order_id": "o1"}')
    assert asked.reason is None
    with pytest.raises(ValidationError):
        OrderCancellationRequested.model_validate_json('{"order_id": "demo.o1"}')
    reported = ShipmentStatusReported.model_validate_json('{"order_id": "demo.o1", "status": "dispatched"}')
    assert reported.order_id == "demo.o1"
    with pytest.raises(ValidationError):
        ShipmentStatusReported.model_validate_json('{"order_id": "o1", "status": "dispatched"}')
    delivered = StockDelivered.model_validate_json(
        '{"delivery_id": "d1", "lines": [{"sku": "A", "quantity": 5, "threshold": 0}]}'
    )
    assert delivered.lines[0].threshold == 0
    for wrong in ('{"sku": "A", "quantity": 0}', '{"sku": "A", "quantity": 1, "threshold": -1}'):
        with pytest.raises(ValidationError):
            StockDelivered.model_validate_json(f'{{"delivery_id": "d1", "lines": [{wrong}]}}')


def test_events_cannot_be_changed() -> None:
    event = OrderConfirmed(order_id="demo.o1")
    with pytest.raises(ValidationError, match="frozen"):
        event.order_id = "demo.o2"  # type: ignore[misc]


def test_errors_do_not_show_values() -> None:
    with pytest.raises(ValidationError) as refused:
        submitted(order(customer={"customer_id": "c1", "email": "ada at home"}))
    assert "ada at home" not in str(refused.value)


PERSONAL = (Address.model_fields.keys() - {"country"}) | {"email", "description", "payment_token", "shipping_address"}
"""What is put into the vault of an order that is submitted."""


def field_names(schema: Any) -> set[str]:
    """The names of all fields in a JSON schema, at any depth."""
    if isinstance(schema, list):
        return set().union(*map(field_names, schema))
    if not isinstance(schema, dict):
        return set()
    return set(schema.get("properties", ())).union(*map(field_names, schema.values()))


@pytest.mark.parametrize("event_type", catalog.DOMAIN_EVENTS)
def test_no_event_has_a_field_for_what_is_personal(event_type: str) -> None:
    names = field_names(catalog.DOMAIN_EVENTS[event_type].model_json_schema())
    assert names
    assert names & PERSONAL == set()
    assert field_names(OrderSubmitted.model_json_schema()) >= PERSONAL


def test_where_an_order_goes_is_said_by_the_beginning_of_the_postal_code_alone() -> None:
    assert Destination(country="GB", postal_area="N1 ").postal_area == "N1 "
    for area in ("", "N1 9"):
        with pytest.raises(ValidationError):
            Destination(country="GB", postal_area=area)


@pytest.mark.parametrize("event_type", catalog.DOMAIN_EVENTS)
def test_every_event_comes_back_from_its_json(event_type: str) -> None:
    model = catalog.DOMAIN_EVENTS[event_type]

    @given(allowed_by(model.model_json_schema()).map(json.dumps).map(model.model_validate_json))
    @settings(max_examples=30)
    def round_trip(event: DomainEvent) -> None:
        for stored in (event.model_dump_json(exclude_none=True), event.model_dump_json()):
            assert catalog.read(event_type, event.schema_version, stored) == event

    round_trip()


def test_an_event_of_no_known_type_is_refused() -> None:
    with pytest.raises(KeyError, match="OrderForgotten"):
        catalog.read("OrderForgotten", 1, "{}")


@given(allowed_by(Metadata.model_json_schema()))
def test_metadata_comes_back_from_its_json(content: dict[str, Any]) -> None:
    metadata = Metadata.model_validate_json(json.dumps(content))
    assert Metadata.model_validate_json(metadata.model_dump_json()) == metadata


def test_metadata_refuses_a_time_without_a_zone() -> None:
    content = {
        "event_id": "e",
        "stream": "s",
        "version": 1,
        "schema_version": 1,
        "correlation_id": "",
        "causation_id": "",
        "actor": {"door": "saga", "principal": "payments_service"},
    }
    assert Metadata.model_validate_json(json.dumps({**content, "occurred_at": "2026-01-01T00:00:00Z"}))
    with pytest.raises(ValidationError, match="timezone"):
        Metadata.model_validate_json(json.dumps({**content, "occurred_at": "2026-01-01T00:00:00"}))


@pytest.mark.parametrize(
    "wrong",
    [{"door": "window", "principal": "p"}, {"door": "bus", "principal": ""}, {"door": "bus"}, {"principal": "p"}],
)
def test_an_actor_came_in_by_a_door_and_has_a_name(wrong: dict[str, str]) -> None:
    assert Actor.model_validate_json('{"door": "http", "principal": "demo/1example23"}').door == "http"
    with pytest.raises(ValidationError):
        Actor.model_validate_json(json.dumps(wrong))


@given(st.lists(st.tuples(st.text(), st.integers(1)), unique=True))
def test_an_event_id_stands_for_one_place_in_the_log(places: list[tuple[str, int]]) -> None:
    ids = [event_id(stream, version) for stream, version in places]
    assert len(set(ids)) == len(places)
    assert ids == [event_id(stream, version) for stream, version in places]


def test_event_ids_never_change() -> None:
    """Whoever remembers an id must recognize it after any later release."""
    assert event_id("order#1", 1) == "0396f48c-57a6-5927-8fa5-108f97d8ee3d"


@pytest.mark.parametrize(
    ("stream", "source"),
    [
        (streams.order("demo.1"), "orders.ordering"),
        (streams.rejection("demo.1", "abc"), "orders.ordering"),
        (streams.cancellation("demo.1"), "orders.ordering"),
        (streams.unknown_order("demo.1"), "orders.ordering"),
        (streams.reservation("demo.1"), "orders.inventory"),
        (streams.delivery("1"), "orders.inventory"),
        (streams.stock("A"), "orders.inventory"),
        (streams.purchase("1"), "orders.inventory"),
        (streams.payment("demo.1"), "orders.payments"),
        (streams.shipment("demo.1"), "orders.shipping"),
    ],
)
def test_a_stream_is_published_by_its_context(stream: str, source: str) -> None:
    assert streams.source(stream) == source
    assert stream.partition("#")[0] in streams.PUBLISHED


@pytest.mark.parametrize("stream", [streams.notification("demo.1"), streams.customer("demo.1")])
def test_notifications_stay_in_the_log(stream: str) -> None:
    assert stream.partition("#")[0] not in streams.PUBLISHED


class Told(DomainEvent):
    """Was {"id", "why"} at first, then {"order_id", "why"}, and is now {"order_id", "reason"}."""

    schema_version = 3
    order_id: OrderId
    reason: str


@pytest.fixture
def three_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalog.DOMAIN_EVENTS, "Told", Told)
    monkeypatch.setitem(UPCASTERS, ("Told", 1), lambda data: {"order_id": data["id"], "why": data["why"]})
    monkeypatch.setitem(UPCASTERS, ("Told", 2), lambda data: {"order_id": data["order_id"], "reason": data["why"]})


@pytest.mark.parametrize(
    ("version", "data"),
    [
        (1, {"id": "demo.o1", "why": "lost"}),
        (2, {"order_id": "demo.o1", "why": "lost"}),
        (3, {"order_id": "demo.o1", "reason": "lost"}),
    ],
)
def test_older_schema_versions_are_upcast_step_by_step(
    three_versions: None, version: int, data: dict[str, str]
) -> None:
    assert catalog.read("Told", version, json.dumps(data)) == Told(order_id="demo.o1", reason="lost")


def test_what_upcasting_leaves_is_validated(three_versions: None) -> None:
    with pytest.raises(ValidationError):
        catalog.read("Told", 1, '{"id": "not an id", "why": ""}')


def test_a_newer_schema_version_says_that_newer_code_is_needed(three_versions: None) -> None:
    with pytest.raises(LookupError, match="deploy newer code"):
        catalog.read("Told", 4, "{}")


def test_a_missing_upcaster_is_named(three_versions: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(UPCASTERS, ("Told", 2))
    with pytest.raises(LookupError, match="Told from schema version 2 to 3"):
        catalog.read("Told", 1, '{"id": "demo.o1", "why": "lost"}')


def test_reasons_of_a_cancellation_are_free_text() -> None:
    assert OrderCancelled(order_id="demo.o1", reason="").reason == ""
