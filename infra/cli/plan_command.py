"""The command that says what a rate of orders needs, what binds first, what it costs, and how long orders take."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Annotated

import typer
from rich.progress import SpinnerColumn

from infra.cli import connection
from infra.cli.command_error import CommandError
from infra.cli.output import out, print_line, print_table, progress_bar
from infra.cli.simulation_report import print_simulation
from infra.planning.order import Lane, Order
from infra.planning.plan import plan as plan_for
from infra.planning.quotas import UnknownRegion, checked_region
from infra.planning.simulation.arrivals import LONGEST_SECONDS, at_random
from infra.planning.simulation.machine import on_aws
from infra.planning.simulation.result import Result
from infra.planning.simulation.scenarios import SCENARIOS, Scenario
from infra.planning.simulation.simulation import simulate as simulate_on

_REGION = "us-east-1"


def plan(
    context: typer.Context,
    *,
    orders_per_second: Annotated[
        float, typer.Option(min=0.01, max=1_000_000, help="How many orders come in.", show_default=False)
    ],
    lines: Annotated[int, typer.Option(min=1, max=1_000, help="How many lines an order has.")] = 3,
    skus: Annotated[int, typer.Option(min=1, help="How many SKUs there are.")] = 10_000,
    hot_sku: Annotated[
        str, typer.Option(metavar="SHARE", help="The share of orders that have the SKU that most have.")
    ] = "5%",
    region: Annotated[
        str | None,
        typer.Option(help="The AWS region whose quotas count.", show_default=f"the one before it, or {_REGION}"),
    ] = None,
    lane: Annotated[
        Lane, typer.Option(help="The state machine that a placed order starts, as in the settings.")
    ] = "express",
    simulate: Annotated[
        str | None,
        typer.Option(
            metavar="SCENARIO",
            help=f"Simulate how long orders take and what waits instead: {', '.join(SCENARIOS)}.",
            show_default=False,
        ),
    ] = None,
    prepared_for: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=1_000_000,
            help="In a simulation, the orders a second for which settings and quotas were changed.",
            show_default="the steady rate",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Say what a rate of orders needs, and what it costs.

    It names the calls and units of each stage, the limits in the order in which they bind, what to change for this
    rate, and the bill of a month. It calculates from what `make bench` measured, from AWS's default quotas and from its
    list prices, and asks nobody: `pipeline preflight` asks for the quotas of your account. docs/scaling.md says what is
    assumed, and docs/simulation.md how far to trust a simulation.
    """
    if lines > skus:
        raise CommandError(f"each of {lines} lines has a SKU of its own, and there are {skus:,}", status=2)
    try:
        where = checked_region(region or connection.of(context).region or _REGION)
    except UnknownRegion as unknown:
        raise CommandError(str(unknown), status=2) from None
    order = Order(lines, skus, _share(hot_sku), where, lane)
    if prepared_for and not simulate:
        raise CommandError("--prepared-for is for a simulation: name its scenario with --simulate", status=2)
    if simulate:
        prepared = prepared_for or orders_per_second
        result = _simulated(order, _scenario(simulate), orders_per_second, prepared)
        if as_json:
            asked = {"orders_per_second": orders_per_second, "prepared_for": prepared, "order": asdict(order)}
            print(json.dumps({"scenario": simulate, **asked, **result.document()}, indent=2))
        else:
            print_simulation(out(), result, prepared)
        return
    made = plan_for(order, orders_per_second)
    if as_json:
        print(json.dumps(made.document(), indent=2))
        return
    for line in made.first_lines():
        print_line(out(), line)
    for table in made.tables():
        print_line(out(), "")
        print_line(out(), f"{table.title}:")
        print_table(out(), table.columns, table.rows)


def _scenario(name: str) -> Scenario:
    if name not in SCENARIOS:
        raise CommandError(f"there is no scenario {name!r}; there is: {', '.join(SCENARIOS)}", status=2)
    return SCENARIOS[name]


def _simulated(order: Order, scenario: Scenario, orders_per_second: float, prepared_for: float) -> Result:
    """What such orders come to on AWS."""
    with progress_bar(LONGEST_SECONDS, SpinnerColumn(), "simulated: {task.completed:,.0f} s") as progress:
        return simulate_on(
            order,
            on_aws(order, prepared_for),
            scenario,
            at_random(scenario, orders_per_second),
            per_second=orders_per_second,
            progress=progress.update,
        )


def _share(value: str) -> float:
    """The share that a text is, such as ``5%``."""
    found = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?)%", value, re.ASCII)
    share = float(found[1]) / 100 if found else None
    if share is None or share > 1:
        raise CommandError(f"{value!r} is no share of orders: 5%, 0.5%, at most 100%", status=2)
    return share
