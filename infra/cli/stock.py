"""Looking at stock."""

from typing import Annotated

import typer

from infra.cli import connection
from infra.cli.arguments import checked
from infra.cli.errors import Failure
from infra.cli.output import out, show


def stock(
    context: typer.Context,
    skus: Annotated[list[str], typer.Argument(metavar="SKU...", help="The SKUs to look up.", show_default=False)],
) -> None:
    """Show how much of some SKUs is available, reserved for orders, and shipped."""
    pipeline = connection.of(context)
    wanted = {checked(sku, "SKU"): None for sku in skus}
    found = {sku: pipeline.reader.stock(sku) for sku in wanted}
    show(
        out(),
        ("SKU", "available", "reserved", "shipped"),
        [(sku, *map(str, stocked)) for sku, stocked in found.items() if stocked is not None],
    )
    if unknown := [sku for sku, stocked in found.items() if stocked is None]:
        raise Failure(f"never delivered: {', '.join(unknown)}")
