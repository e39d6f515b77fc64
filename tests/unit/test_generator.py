"""Generated orders: the same for the same seed, of every kind, and they would end as they are said to."""

from collections import Counter

import pytest

from handlers.operations.audit.published_submission import distinct
from infra.local.runner.generator import generate

NO_ORDER = {"REJECTED", "DEAD_LETTER"}


def test_a_seed_is_a_run() -> None:
    assert generate(100, 7) == generate(100, 7)
    assert generate(100, 7) != generate(100, 8)


def test_a_hundred_orders_end_in_every_way() -> None:
    submissions = distinct(generate(100, 1).submissions)
    assert Counter(each.expected for each in submissions) == {
        "CONFIRMED": 74,
        "OutOfStock": 6,
        "PaymentDeclined": 8,
        "ShipmentRejected": 4,
        "PaymentGatewayUnreachable": 1,
        "CarrierUnreachable": 1,
        "REJECTED": 5,
        "DEAD_LETTER": 2,
    }
    tokens = Counter(each.detail["payment_token"] for each in submissions)
    assert tokens["tok_timeout_once"] == 3
    assert tokens["tok_lost_answer"] == 3
    places = Counter(each.detail["shipping_address"]["postal_code"] for each in submissions)
    assert places["SBX-TIMEOUT-ONCE"] == 2
    assert places["SBX-LOST-ANSWER"] == 2


@pytest.mark.parametrize("count", [1, 2, 17, 100, 300])
def test_what_comes_in_decides_as_expected(count: int) -> None:
    generated = generate(count, 3)
    assert len({each.detail["order_id"] for each in generated.submissions}) == count
    first: dict[str, str] = {}
    for each in generated.submissions:
        order_id = each.detail["order_id"]
        changed = first.setdefault(order_id, each.key[1]) != each.key[1]
        assert (each.order is not None) == (changed or each.expected not in NO_ORDER)
        assert (each.order_id is None) == (each.expected == "DEAD_LETTER")
        assert not changed or each.expected == "REJECTED"


def test_few_orders_come_twice() -> None:
    submissions = generate(100, 5).submissions
    assert len(submissions) - len(distinct(submissions)) == 3


def test_there_is_enough_of_everything_but_what_is_sold_out() -> None:
    generated = generate(300, 2)
    left = Counter(generated.stock)
    for each in distinct(generated.submissions):
        assert each.order or each.expected in NO_ORDER
        if each.order and each.expected != "OutOfStock":
            for line in each.order.lines:
                left[line.sku] -= line.quantity
    assert min(left.values()) >= 0
    for each in generated.submissions:
        if each.expected == "OutOfStock":
            assert any(line["quantity"] > generated.stock[line["sku"]] for line in each.lines)
