"""Orders from a file: nothing is lost or corrected on the way in, and a file that cannot be used is named."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.files.csv_profile import Profile, usable_id
from handlers.operations.audit.published_submission import Submission, distinct
from infra.local.runner.order_files import InputError, read_orders, read_profile
from infra.local.runner.stock_deliveries import needed, stock_deliveries
from tests.builders.orders import invalid

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
ANY_DATE = "2010-12-01 08:26:00"


@pytest.fixture
def uci() -> Profile:
    return read_profile("uci")


def read(tmp_path: Path, *lines: str, header: str = HEADER) -> list[Submission]:
    path = tmp_path / "orders.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return read_orders(path, read_profile("uci"))


def rejected_because(submission: Submission) -> list[str]:
    return [f"{reason.field}: {reason.message}" for reason in invalid(submission.detail).reasons]


def test_lines_become_orders_by_invoice(tmp_path: Path) -> None:
    orders = read(
        tmp_path,
        f"1,85123A,LIGHT HOLDER ,6,{ANY_DATE},2.55,17850.0,United Kingdom",
        f'2,22423,"STAND, ""REGENCY""",1,{ANY_DATE},12.7,,EIRE',
        f"1,71053,,2,{ANY_DATE},3.4,17850.0,United Kingdom",
    )
    assert [order.detail for order in orders] == [
        {
            "order_id": "1",
            "currency": "GBP",
            "lines": [
                {"sku": "85123A", "quantity": 6, "unit_price": 255, "description": "LIGHT HOLDER"},
                {"sku": "71053", "quantity": 2, "unit_price": 340},
            ],
            "customer": {"customer_id": "17850"},
            "shipping_address": {
                "name": "Customer",
                "street": "unknown",
                "city": "unknown",
                "postal_code": "unknown",
                "country": "GB",
            },
            "payment_token": "tok_approve",
        },
        {
            "order_id": "2",
            "currency": "GBP",
            "lines": [{"sku": "22423", "quantity": 1, "unit_price": 1270, "description": 'STAND, "REGENCY"'}],
            "shipping_address": {
                "name": "Customer",
                "street": "unknown",
                "city": "unknown",
                "postal_code": "unknown",
                "country": "IE",
            },
            "payment_token": "tok_approve",
        },
    ]
    assert all(order.order for order in orders)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"C1,D,Discount,-1,{ANY_DATE},27.5,1,United Kingdom", "lines.0.quantity: Input should be greater than 0"),
        (f"1,A,,two,{ANY_DATE},1,1,United Kingdom", "lines.0.quantity: Input should be a valid integer"),
        (f"1,A,,1.5,{ANY_DATE},1,1,United Kingdom", "lines.0.quantity: Input should be a valid integer"),
        (f"1,A,,1,{ANY_DATE},-1,1,United Kingdom", "lines.0.unit_price: Input should be greater than or equal to 0"),
        (f"1,A,,1,{ANY_DATE},1.005,1,United Kingdom", "lines.0.unit_price: Input should be a valid integer"),
        (f"1,A,,1,{ANY_DATE},1e300,1,United Kingdom", "lines.0.unit_price: Input should be a valid integer"),
        (f"1,A,,1,{ANY_DATE},1e999999,1,United Kingdom", "lines.0.unit_price: Input should be a valid integer"),
        (f"1,A,,1,{ANY_DATE},nan,1,United Kingdom", "lines.0.unit_price: Input should be a valid integer"),
        (f"1,A,,1,{ANY_DATE},1,1,Atlantis", "shipping_address.country: String should match pattern '^[A-Z]{2}$'"),
        (f"1,{'A' * 65},,1,{ANY_DATE},1,1,France", "lines.0.sku: String should match pattern '^[A-Za-z0-9_-]{1,64}$'"),
    ],
)
def test_what_is_wrong_is_submitted_as_it_is(tmp_path: Path, line: str, reason: str) -> None:
    [order] = read(tmp_path, line)
    assert rejected_because(order) == [reason]


def test_an_invoice_without_a_number_is_a_dead_letter(tmp_path: Path) -> None:
    [order] = read(tmp_path, f",A,,1,{ANY_DATE},1,1,France")
    assert order.order_id is None


def test_orders_of_a_file_are_the_demo_shops(tmp_path: Path) -> None:
    [order] = read(tmp_path, f"1,A,,1,{ANY_DATE},1,17850.0,France")
    assert (order.shop, order.order_id) == ("demo", "demo.1")


@pytest.mark.parametrize(
    ("header", "lines", "message"),
    [
        (HEADER.replace("Quantity", "Qty"), ["1"], "no column Quantity; it has InvoiceNo, StockCode, "),
        ("", [], "no column InvoiceNo, StockCode, Description, Quantity, UnitPrice, CustomerID, Country; it has none"),
        (HEADER, [], "there is no line in it"),
        (HEADER, ["1,A,,1"], "row 2 has 4 fields, not 8"),
        (HEADER, [f'1,A,"open,1,{ANY_DATE},1,1,France'], "row 2 has a quote that is not closed"),
        (HEADER, [f"1,A,{'x' * 99},1,{ANY_DATE},1,1,France"] * 1900, "order 1 is "),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_line(
    tmp_path: Path, header: str, lines: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'orders.csv'}: {message}")) as refused:
        read(tmp_path, *lines, header=header)
    assert "\n" not in str(refused.value)


def test_files_that_cannot_be_read(tmp_path: Path, uci: Profile) -> None:
    with pytest.raises(InputError, match=r"missing\.csv: No such file or directory"):
        read_orders(tmp_path / "missing.csv", uci)
    with pytest.raises(InputError, match="Is a directory"):
        read_orders(tmp_path, uci)
    (tmp_path / "latin.csv").write_bytes(f"{HEADER}\n1,A,caf\xe9".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.csv: row 2 is not in utf-8"):
        read_orders(tmp_path / "latin.csv", uci)


def test_a_profile_that_is_not_there() -> None:
    with pytest.raises(InputError, match="there is no profile 'acme'; there is: uci"):
        read_profile("acme")


@pytest.mark.parametrize(
    ("text", "usable"),
    [("85123A", "85123A"), ("a_b-c", "a_b-c"), ("gift 0001", "gift_200001"), ("é", "_C3_A9"), ("_20", "_5F20")],
)
def test_ids_are_rewritten_where_they_must(text: str, usable: str) -> None:
    assert usable_id(text) == usable


@given(st.text())
def test_a_rewritten_id_tells_what_it_was(text: str) -> None:
    usable = usable_id(text)
    assert re.fullmatch("[A-Za-z0-9_-]*", usable)
    back = re.sub(rb"_([0-9A-F]{2})", lambda found: bytes.fromhex(found[1].decode()), usable.encode())
    assert back.decode() == text


def test_the_stock_serves_every_valid_order_and_comes_in_deliveries_of_a_thousand_lines(tmp_path: Path) -> None:
    orders = read(
        tmp_path,
        *(f"{number % 3},SKU{number},,2,{ANY_DATE},1,1,France" for number in range(1500)),
        f"1,SKU1,,1,{ANY_DATE},1,1,France",
        f"C1,SKU1,,-1,{ANY_DATE},1,1,France",
        f"3,SKU2,,1,{ANY_DATE},oops,1,France",
    )
    stock = needed(orders)
    assert (len(stock), stock["SKU1"], stock["SKU2"]) == (1500, 3, 2)
    brought = list(stock_deliveries("d", stock, threshold=0))
    assert [(each["delivery_id"], len(each["lines"])) for each in brought] == [("d-1", 1000), ("d-2", 500)]
    assert brought[0]["lines"][0] == {"sku": "SKU0", "quantity": 2, "threshold": 0}
    assert sum(line["quantity"] for each in brought for line in each["lines"]) == stock.total()


def test_the_same_content_is_one_submission(tmp_path: Path) -> None:
    [order] = read(tmp_path, f"1,A,,1,{ANY_DATE},1,1,France")
    other = Submission("demo", {**order.detail, "payment_token": "tok_other"})
    again = Submission("demo", dict(reversed(list(order.detail.items()))))
    another_shops = Submission("acme", order.detail)
    assert distinct([order, other, again, another_shops]) == [order, other, another_shops]
