"""Looking at what was counted: a day's sales, and a customer's orders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from events.currencies import formatted
from handlers.table import keys
from infra.cli import connection
from infra.cli.arguments import checked
from infra.cli.errors import Failure
from infra.cli.output import err, moment, out, show, tell

if TYPE_CHECKING:
    from handlers.projections.order_fold import Attributes
    from handlers.queries.counters import Counters

_SPENT = "spent_"
_MOST_LISTED = 1000


def sales(
    context: typer.Context,
    day: Annotated[str, typer.Argument(metavar="DAY", help="The day, in UTC: 2026-11-21.", show_default=False)],
    products: Annotated[bool, typer.Option("--products", help="By product.")] = False,
) -> None:
    """Show what the orders confirmed on a day came to, by currency; those cancelled later are taken out again."""
    counters = connection.of(context).reader.counters
    wanted = _day(day)
    rows = list(_by_product(counters, wanted) if products else _by_currency(counters, wanted))
    if rows:
        show(out(), ("SKU", "quantity", "total") if products else ("orders", "total"), rows)
    else:
        tell(err(), f"nothing was sold on {wanted}")


def customer(
    context: typer.Context,
    customer_id: Annotated[str, typer.Argument(metavar="ID", help="The customer's id.", show_default=False)],
    limit: Annotated[int, typer.Option(min=1, max=_MOST_LISTED, help="How many orders to list at most.")] = 10,
) -> None:
    """Show how much a customer has ordered, and the latest orders."""
    pipeline = connection.of(context)
    checked(customer_id, "customer id")
    counts = pipeline.reader.counters.customer(customer_id)
    orders, _ = pipeline.reader.orders_of(customer_id, None, None, limit)
    if not counts and not orders:
        raise Failure(f"there are no orders of a customer {customer_id}, or not yet")
    show(out(), ("", ""), _counted(counts))
    show(out(), ("order", "when", "status", "total"), map(_listed, orders))


def _day(told: str) -> str:
    try:
        return date.fromisoformat(told).isoformat()
    except ValueError:
        raise Failure(f"{told!r} is no day: 2026-11-21", status=2) from None


def _by_currency(counters: Counters, day: str) -> Iterator[tuple[str, ...]]:
    for currency, sold in sorted(counters.sales(day).items()):
        yield str(sold["orders"]), formatted(sold["total"], currency)


def _by_product(counters: Counters, day: str) -> Iterator[tuple[str, ...]]:
    for (currency, sku), sold in sorted(counters.products(day).items()):
        yield sku, str(sold["quantity"]), formatted(sold["total"], currency)


def _counted(counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    yield from ((name, str(counts.get(name, 0))) for name in ("placed", "confirmed", "cancelled"))
    for name, spent in sorted(counts.items()):
        if name.startswith(_SPENT):
            yield "spent", formatted(spent, name.removeprefix(_SPENT))


def _listed(order: Attributes) -> tuple[str, ...]:
    when = keys.time_of(order[keys.ORDERS_BY_CUSTOMER.sk])
    total = formatted(order["total"], order["currency"]) if "total" in order else ""
    return order["order_id"], moment(when), order["status"], total
