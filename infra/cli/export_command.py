"""The command that prints all that is held on a customer."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from handlers.operations.export import export as export_customer
from infra.cli import connection


def export(
    context: typer.Context,
    *,
    customer: Annotated[str, typer.Option(metavar="ID", help="The customer, as demo.17; where there is one shop, 17.")],
) -> None:
    """Print all that is held on a customer, as JSON.

    That is the persons in the vault behind the customer's orders, the events of these orders, and the views.

    Needs dynamodb:Query on the vault, and dynamodb:GetItem and Query on the table and its indexes.
    """
    pipeline = connection.of(context)
    document = export_customer(
        pipeline.customer_id(customer),
        store=pipeline.store,
        vault=pipeline.vault,
        orders=pipeline.orders,
        counters=pipeline.counters,
    )
    print(json.dumps(document, indent=2, ensure_ascii=False))
