"""Commands that show what was counted: stock, a day's sales, and a customer's orders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated

import typer

from events.currencies import formatted
from handlers.projections.order_fold import Attributes
from handlers.queries.counters import CounterQueries
from infra.cli import connection
from infra.cli.arguments import checked
from infra.cli.command_error import CommandError
from infra.cli.output import err, out, print_line, print_table
from infra.cli.text import moment

_SPENT = "spent_"
_MOST_LISTED = 1000


def stock(
    context: typer.Context,
    skus: Annotated[list[str], typer.Argument(metavar="SKU...", help="The SKUs to look up.", show_default=False)],
) -> None:
    """Show how much of SKUs is available, reserved and shipped."""
    pipeline = connection.of(context)
    wanted = {checked(sku, "SKU"): None for sku in skus}
    found = {sku: pipeline.stock.by_sku(sku) for sku in wanted}
    print_table(
        out(),
        ("SKU", "available", "reserved", "shipped"),
        [(sku, *map(str, stocked)) for sku, stocked in found.items() if stocked is not None],
    )
    if unknown := [sku for sku, stocked in found.items() if stocked is None]:
        raise CommandError(f"never delivered: {', '.join(unknown)}")


def sales(
    context: typer.Context,
    day: Annotated[str, typer.Argument(metavar="DAY", help="The day, in UTC: 2026-11-21.", show_default=False)],
    products: Annotated[bool, typer.Option("--products", help="By product.")] = False,
) -> None:
    """Show the sales of a day, by currency or by product.

    The sales of a day are the totals of the orders confirmed on it. Orders that are cancelled later are subtracted.
    """
    counters = connection.of(context).counters
    wanted = _day(day)
    rows = list(_by_product(counters, wanted) if products else _by_currency(counters, wanted))
    if rows:
        print_table(out(), ("SKU", "quantity", "total") if products else ("orders", "total"), rows)
    else:
        print_line(err(), f"nothing was sold on {wanted}")


def customer(
    context: typer.Context,
    customer_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="The customer's id, as demo.17850; where there is one shop, 17850.", show_default=False
        ),
    ],
    limit: Annotated[int, typer.Option(min=1, max=_MOST_LISTED, help="How many orders to list at most.")] = 10,
) -> None:
    """Show how much a customer has ordered.

    The newest orders are listed after the counts.
    """
    pipeline = connection.of(context)
    customer_id = pipeline.customer_id(customer_id)
    counts = pipeline.counters.customer(customer_id)
    orders, _ = pipeline.orders.orders_of_customer(customer_id, None, None, limit)
    if not counts and not orders:
        raise CommandError(f"there are no orders of a customer {customer_id}, or not yet")
    print_table(out(), ("", ""), _counted(counts))
    print_table(out(), ("order", "when", "status", "total"), map(_listed, orders))


def _day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise CommandError(f"{value!r} is no day: 2026-11-21", status=2) from None


def _by_currency(counters: CounterQueries, day: str) -> Iterator[tuple[str, ...]]:
    for currency, sold in sorted(counters.sales(day).items()):
        yield str(sold["orders"]), formatted(sold["total"], currency)


def _by_product(counters: CounterQueries, day: str) -> Iterator[tuple[str, ...]]:
    for (currency, sku), sold in sorted(counters.products(day).items()):
        yield sku, str(sold["quantity"]), formatted(sold["total"], currency)


def _counted(counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    yield from ((name, str(counts.get(name, 0))) for name in ("placed", "confirmed", "cancelled"))
    for name, spent in sorted(counts.items()):
        if name.startswith(_SPENT):
            yield "spent", formatted(spent, name.removeprefix(_SPENT))


def _listed(order: Attributes) -> tuple[str, ...]:
    total = formatted(order["total"], order["currency"]) if "total" in order else ""
    return order["order_id"], moment(order["placed_at"]), order["status"], total
