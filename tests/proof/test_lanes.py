"""300 orders through either lane, and through both at once: the same views, balances and e-mails."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from handlers.operations.audit.table import Item
from infra.local.commands import WAIT_SCALE
from infra.local.pipeline import Pipeline, pipeline
from infra.local.runner.generator import generate
from infra.local.runner.order_run import Report, run
from infra.local.runner.run_progress import Progress
from infra.local.runner.stock_deliveries import stock_deliveries
from infra.settings.environment import file_of

COUNT = 300
_LEFT_OUT = {"attempts", "SK", "GSI1PK", "GSI1SK", "GSI2PK", "GSI2SK", "GSI3SK", "tracking_number"}
"""What follows from the time or from chance; and how often a sandbox was asked."""


class Unheard:
    """Nobody follows the run."""

    def stage_started(self, stage: str) -> None:
        """Nothing."""

    def progressed(self, progress: Progress) -> None:
        """Nothing."""


def through(lane: str, folder: Path) -> Report:
    """The run of the orders in an environment of that lane; of `both`, each order starts either machine at once."""
    file = folder / f"{lane}.toml"
    setting = "" if lane == "both" else f'lane = "{lane}"\n'
    file.write_text(setting + file_of("dev").read_text())
    generated = generate(COUNT, seed=1)
    with pipeline(settings=file) as deployed:
        deployed.emulator.scale_waits(WAIT_SCALE)
        if lane == "both":
            start_both(deployed)
        deliveries = list(stock_deliveries("stock", generated.stock))
        return run(deployed, generated.submissions, deliveries, Unheard())


def start_both(deployed: Pipeline) -> None:
    """Let the rule that starts the express lane start the saga, too."""
    events, bus = deployed.client("events"), deployed.orders_bus
    [rule] = events.list_rule_names_by_target(TargetArn=deployed.express_state_machine_arn, EventBusName=bus)[
        "RuleNames"
    ]
    [target] = events.list_targets_by_rule(Rule=rule, EventBusName=bus)["Targets"]
    also = {**target, "Id": "also", "Arn": deployed.state_machine_arn}
    assert not events.put_targets(Rule=rule, EventBusName=bus, Targets=[target, also])["FailedEntryCount"]


def what_is_left(report: Report) -> dict[str, Any]:
    """The same of runs that ended alike."""
    table = report.run.table
    return {
        "views": {order_id: timeless(view) for order_id, view in table.views.items()},
        "levels": {sku: level["available"] for sku, level in table.levels.items()},
        "charges": {order_id: timeless(book) for order_id, book in table.charges.items()},
        "consignments": {order_id: timeless(book) for order_id, book in table.consignments.items()},
        "emails": Counter((each.to, each.subject) for each in report.run.emails),
    }


def timeless(item: Item) -> Item:
    return {name: value for name, value in item.items() if name not in _LEFT_OUT and not name.endswith("_at")}


def test_orders_end_alike_in_either_lane_and_in_both_at_once(tmp_path: Path) -> None:
    reports = {lane: through(lane, tmp_path) for lane in ("standard", "express", "both")}
    for lane, report in reports.items():
        assert not report.findings, (lane, list(map(str, report.findings)))
    expected = what_is_left(reports["standard"])
    assert len(expected["views"]) > 0.9 * COUNT
    for lane, report in reports.items():
        for what, left in what_is_left(report).items():
            assert left == expected[what], f"{what} of {lane}"
