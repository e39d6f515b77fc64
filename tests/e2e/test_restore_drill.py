"""A restore drill on the pipeline as it is deployed. The emulator restores tables as they are now."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from events.integration import OrderSubmitted
from events.publishing.publisher import Publisher
from events.shops import of_shop
from handlers.operations.restore_drill.drill import Result, Step, examine
from handlers.operations.restore_drill.restoring import Tables, restorable, restored
from handlers.table import keys
from infra.local.pipeline import Pipeline
from infra.names import DEMO_SHOP
from tests.builders.commands import run_command
from tests.builders.shops import ORDER
from tests.e2e.conftest import eventually


def place(pipeline: Pipeline, *own_ids: str) -> None:
    """Let orders be confirmed, and shown as that."""
    orders = [OrderSubmitted.model_validate_json(json.dumps({**ORDER, "order_id": each})) for each in own_ids]
    Publisher(pipeline.client("events"), pipeline.intake_bus, "e2e").publish(orders)
    eventually(lambda: all("CONFIRMED" in command(pipeline, "status", each) for each in own_ids))


def command(pipeline: Pipeline, *arguments: str) -> str:
    return run_command("--endpoint", pipeline.endpoint, *arguments).output


def drills(pipeline: Pipeline) -> list[str]:
    """The tables that drills left."""
    return [name for name in pipeline.client("dynamodb").list_tables()["TableNames"] if "-drill-" in name]


def drilled(pipeline: Pipeline, on_step: Callable[[Step, Tables], None]) -> Result:
    """A drill, with something that happens as its steps begin."""
    client, outputs = pipeline.client("dynamodb"), pipeline.outputs
    source = Tables(outputs["TableName"], outputs["VaultTableName"])
    moment, target = restorable(client, source), source.drill(datetime.now(UTC))
    with restored(client, source, target, moment, keep=False, poll_seconds=0.1, on_left=print) as tables:
        return examine(
            client,
            pipeline.client("s3"),
            tables,
            ledger=outputs["ErasureLedgerName"],
            audit=outputs["AuditBucketName"],
            settled=moment,
            on_step=lambda step: on_step(step, tables),
        )


def test_what_is_restored_is_compared_equal_and_removed(pipeline: Pipeline) -> None:
    place(pipeline, f"drill-{uuid4().hex[:12]}")

    def equal() -> str | None:
        done = run_command("--endpoint", pipeline.endpoint, "restore-drill", "--grace", "0s")
        assert drills(pipeline) == []
        return done.stdout if done.exit_code == 0 else None

    assert "restoring took" in eventually(equal)


def test_who_is_erased_once_the_tables_are_restored_is_gone_from_them_before_they_are_read(pipeline: Pipeline) -> None:
    own_id = f"drill-{uuid4().hex[:12]}"
    order_id = of_shop(DEMO_SHOP, own_id)
    place(pipeline, own_id)
    client = pipeline.client("dynamodb")
    person = keys.person(order_id, None).attributes
    seen: dict[Step, bool] = {}

    def on_step(step: Step, tables: Tables) -> None:
        seen[step] = "Item" in client.get_item(TableName=tables.vault, Key=person)
        if step is Step.ERASE:
            assert "orders\t1" in command(pipeline, "erase", "--order", own_id)

    result = drilled(pipeline, on_step)
    assert seen == {Step.ERASE: True, Step.COMPARE: False}
    assert order_id in result.restored.erased
    assert (f"erasure#{order_id}", 1) not in result.restored.table.log
    assert [each for each in result.differences if order_id in each.about] == []
    assert drills(pipeline) == []


def test_an_event_that_is_gone_from_what_was_restored_is_named(pipeline: Pipeline) -> None:
    own_id = f"drill-{uuid4().hex[:12]}"
    stream = f"payment#{of_shop(DEMO_SHOP, own_id)}"
    place(pipeline, own_id)

    def on_step(step: Step, tables: Tables) -> None:
        if step is Step.COMPARE:
            pipeline.client("dynamodb").delete_item(TableName=tables.orders, Key=keys.event(stream, 2).attributes)

    def named() -> bool:
        found = {each.about: each.wrong for each in drilled(pipeline, on_step).differences}
        return found.get(f"{stream} version 2") == "is in the audit copy, and not in the restored log"

    assert eventually(named)
    assert drills(pipeline) == []
