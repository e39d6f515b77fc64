"""The gateway's schemas (draft 4) take and refuse what the models do."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Annotated, Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from events.integration import MAX_LINES
from events.model import MAX_AMOUNT
from handlers.api.requests import CancellationRequest, OrderRequest
from infra.constructs.api.json_schema import draft4
from tests.builders.json_schemas import allowed_by
from tests.builders.orders import line, order

DRAFT_4 = {
    *("$schema", "$ref", "definitions", "type", "enum", "anyOf", "properties", "required", "additionalProperties"),
    *("items", "minItems", "maxItems", "minLength", "maxLength", "pattern", "minimum", "maximum"),
    *("allOf", "oneOf", "not", "uniqueItems", "multipleOf"),
}
"""Its keywords, less those that API Gateway does not support: exclusive limits."""

MODELS: list[type[BaseModel]] = [OrderRequest, CancellationRequest]
VALIDATORS = {model: jsonschema_rs.Draft4Validator(draft4(model)) for model in MODELS}
GOOD = order(None, line(description="tea"), line("B", 2, 0))


def both(model: type[BaseModel], document: Any) -> bool:
    """Whether the schema takes a document; the model must agree."""
    text = json.dumps(document)
    by_schema: bool = VALIDATORS[model].is_valid(json.loads(text))
    try:
        model.model_validate_json(text)
        by_model = True
    except ValidationError:
        by_model = False
    assert by_schema == by_model, document
    return by_model


def places(part: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(part, dict | list):
        for name, inner in part.items() if isinstance(part, dict) else enumerate(part):
            yield from places(inner, (*path, name))


def changed(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy with another value at a place; ``...`` takes it out."""
    if not path:
        return value
    copied = copy.deepcopy(document)
    holder = copied
    for name in path[:-1]:
        holder = holder[name]
    if value is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return copied


def test_exclusive_limits_of_integers_become_inclusive_ones_and_others_have_no_such_form() -> None:
    class Limited(BaseModel):
        number: Annotated[int, Field(gt=0, lt=10)]

    class Fraction(BaseModel):
        number: Annotated[float, Field(gt=0)]

    assert draft4(Limited)["properties"] == {"number": {"type": "integer", "minimum": 1, "maximum": 9}}
    with pytest.raises(ValueError, match="exclusiveMinimum"):
        draft4(Fraction)


@pytest.mark.parametrize("model", MODELS)
def test_no_keyword_of_a_later_draft_is_left(model: type[BaseModel]) -> None:
    def check(schema: Any) -> None:
        assert schema.keys() <= DRAFT_4
        for inner in (*schema.get("properties", {}).values(), *schema.get("definitions", {}).values()):
            check(inner)
        for inner in (*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else [])):
            check(inner)

    schema = draft4(model)
    assert schema["$schema"] == "http://json-schema.org/draft-04/schema#"
    assert schema["additionalProperties"] is False
    check(schema)
    jsonschema_rs.meta.validate(schema)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), GOOD),
        (("customer",), ...),
        (("customer",), None),
        (("customer",), {}),
        *((("customer", name), missing) for name in ("customer_id", "email") for missing in (..., None)),
        (("customer", "customer_id"), "c" * 64),
        (("lines", 0, "description"), None),
        (("lines", 0, "quantity"), 1_000_000),
        (("lines", 0, "unit_price"), MAX_AMOUNT),
        (("payment_token",), "é" * 256),
        (("lines",), [line()] * MAX_LINES),
    ],
)
def test_both_take_what_is_right(path: tuple[str | int, ...], value: Any) -> None:
    assert both(OrderRequest, changed(GOOD, path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *(((name,), ...) for name in ("currency", "lines", "shipping_address", "payment_token")),
        *((("lines", 0, name), ...) for name in ("sku", "quantity", "unit_price")),
        *((("shipping_address", name), ...) for name in ("name", "street", "city", "postal_code", "country")),
        (("customer_id",), "victim"),
        (("email",), "ada@customers.example"),
        (("order_id",), "victims"),
        (("shop",), "victim"),
        (("customer",), "c1"),
        (("customer", "shop"), "victim"),
        (("customer", "customer_id"), ""),
        (("customer", "customer_id"), "c" * 65),
        (("customer", "customer_id"), "victim.c1"),
        (("customer", "customer_id"), 17),
        (("total",), 1),
        (("lines", 0, "price"), 1),
        (("shipping_address", "planet"), "Earth"),
        (("currency",), "XXX"),
        (("currency",), "gbp"),
        (("customer", "email"), "nowhere"),
        (("customer", "email"), "a@b@c"),
        (("customer", "email"), f"{'a' * 250}@b.example"),
        (("lines",), []),
        (("lines",), {}),
        (("lines",), [line()] * (MAX_LINES + 1)),
        (("lines", 0), None),
        (("lines", 0, "sku"), ""),
        (("lines", 0, "sku"), "a b"),
        (("lines", 0, "sku"), "a" * 65),
        (("lines", 0, "quantity"), 0),
        (("lines", 0, "quantity"), 1_000_001),
        (("lines", 0, "quantity"), "1"),
        (("lines", 0, "quantity"), 1.5),
        (("lines", 0, "quantity"), 1.0),
        (("lines", 0, "unit_price"), 450.0),
        (("lines", 0, "quantity"), True),
        (("lines", 0, "unit_price"), -1),
        (("lines", 0, "unit_price"), MAX_AMOUNT + 1),
        (("lines", 0, "description"), "x" * 257),
        (("shipping_address",), "London"),
        (("shipping_address", "country"), "GBR"),
        (("shipping_address", "country"), "gb"),
        (("shipping_address", "postal_code"), "x" * 33),
        (("shipping_address", "name"), ""),
        (("payment_token",), ""),
        (("payment_token",), "x" * 257),
        (("payment_token",), None),
        ((), []),
        ((), "order"),
        ((), None),
    ],
)
def test_both_refuse_what_is_wrong(path: tuple[str | int, ...], value: Any) -> None:
    assert not both(OrderRequest, changed(GOOD, path, value))


@given(document=allowed_by(OrderRequest.model_json_schema()))
def test_both_take_whatever_the_document_of_the_api_allows(document: Any) -> None:
    assert both(OrderRequest, document)


@given(
    path=st.sampled_from(list(places(GOOD))),
    value=st.one_of(
        st.sampled_from([None, True, "", 0, -1, 10**15, 10**16, [], {}, [None], {"": 1}, "x" * 300]),
        st.integers(),
        st.text(st.characters(codec="ascii"), max_size=70),
    ),
)
def test_both_agree_whatever_is_changed(path: tuple[str | int, ...], value: Any) -> None:
    both(OrderRequest, changed(GOOD, path, value))


@pytest.mark.parametrize(
    ("document", "right"),
    [
        ({}, True),
        ({"reason": None}, True),
        ({"reason": "second thoughts"}, True),
        ({"reason": ""}, False),
        ({"reason": "x" * 257}, False),
        ({"reason": 1}, False),
        ({"order_id": "o1"}, False),
        ([], False),
    ],
)
def test_a_wish_to_cancel_may_give_a_reason(document: Any, right: bool) -> None:
    assert both(CancellationRequest, document) == right
