"""The doctor and the pipeline as it is deployed: it finds what is broken, and the commands it names repair it."""

import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from events.integration import OrderSubmitted
from events.publishing.publisher import Publisher
from events.shops import of_shop, own_id
from handlers.projections.engine.generations import GenerationStore
from handlers.projections.order_items import PROJECTION
from handlers.table import keys
from infra.cli.app import app
from infra.local.pipeline import Pipeline
from infra.names import DEMO_SHOP
from tests.builders.shops import ORDER
from tests.e2e.conftest import eventually

NOW = ("--grace", "0s", "--stalled-after", "0s")


def run_command(pipeline: Pipeline, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--endpoint", pipeline.endpoint, *arguments])


def place(pipeline: Pipeline, *order_ids: str, until: str = "CONFIRMED") -> None:
    """Submit orders, and wait until their views show a status."""
    orders = [OrderSubmitted.model_validate_json(json.dumps({**ORDER, "order_id": own_id(each)})) for each in order_ids]
    Publisher(pipeline.client("events"), pipeline.intake_bus, "e2e").publish(orders)
    eventually(lambda: all(view(pipeline, each).get("status", {}).get("S") == until for each in order_ids))


def live_key(pipeline: Pipeline, order_id: str) -> Any:
    """The key of an order's view, in the generation that readers see."""
    generations = GenerationStore(pipeline.client("dynamodb"), pipeline.table_name)
    return keys.order_view(order_id, generations.read(PROJECTION).live).attributes


def view(pipeline: Pipeline, order_id: str) -> Mapping[str, Any]:
    key = live_key(pipeline, order_id)
    found: Mapping[str, Any] = (
        pipeline.client("dynamodb").get_item(TableName=pipeline.table_name, Key=key).get("Item", {})
    )
    return found


@contextmanager
def payments_left_out(pipeline: Pipeline) -> Iterator[None]:
    """The outbox is not fed the events of payments: somebody got its filter wrong."""
    client = pipeline.client("lambda")
    [mapping] = client.list_event_source_mappings(FunctionName=pipeline.function_name("outbox"))["EventSourceMappings"]
    before = mapping["FilterCriteria"]
    pattern = json.loads(before["Filters"][0]["Pattern"])
    keys = pattern["dynamodb"]["Keys"]
    keys["PK"]["S"] = [each for each in keys["PK"]["S"] if each != {"prefix": "payment#"}]
    without = {"Filters": [{"Pattern": json.dumps(pattern)}]}
    client.update_event_source_mapping(UUID=mapping["UUID"], FilterCriteria=without)
    try:
        yield
    finally:
        client.update_event_source_mapping(UUID=mapping["UUID"], FilterCriteria=before)


@contextmanager
def no_saga_starts(pipeline: Pipeline) -> Iterator[None]:
    """The rule that starts the express lane of orders is off."""
    client = pipeline.client("events")
    [rule] = client.list_rule_names_by_target(
        TargetArn=pipeline.express_state_machine_arn, EventBusName=pipeline.orders_bus
    )["RuleNames"]
    client.disable_rule(Name=rule, EventBusName=pipeline.orders_bus)
    try:
        yield
    finally:
        client.enable_rule(Name=rule, EventBusName=pipeline.orders_bus)


def test_what_is_broken_is_found_and_repaired_by_the_commands_that_the_doctor_names(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.operations.doctor.examination.PAUSE_SECONDS", 2.0)
    deleted, tampered, unpublished, unstarted = (
        of_shop(DEMO_SHOP, f"{what}-{uuid4().hex}") for what in ("del", "tam", "pub", "sta")
    )
    place(pipeline, deleted, tampered)
    with payments_left_out(pipeline):
        place(pipeline, unpublished)
    with no_saga_starts(pipeline):
        place(pipeline, unstarted, until="PLACED")
    eventually(lambda: "payment" in view(pipeline, tampered) and "shipment" in view(pipeline, tampered))
    table: Any = {"TableName": pipeline.table_name}
    pipeline.client("dynamodb").delete_item(**table, Key=live_key(pipeline, deleted))
    pipeline.client("dynamodb").update_item(
        **table,
        Key=live_key(pipeline, tampered),
        UpdateExpression="SET #total = :other",
        ExpressionAttributeNames={"#total": "total"},
        ExpressionAttributeValues={":other": {"N": "1"}},
    )

    broken = run_command(pipeline, "doctor", *NOW)
    assert broken.exit_code == 1, broken.output
    found = dict(line.split("\t") for line in broken.stdout.splitlines() if "\t" in line)
    assert found == {
        f"payment#{unpublished} version 1": "PaymentAuthorized was appended, and never published",
        f"payment#{unpublished} version 2": "PaymentCaptured was appended, and never published",
        f"view of order {deleted}": "has no view",
        f"view of order {tampered}": "the view has total 1, the log 900",
        f"view of order {unpublished}": "the view has payment None, the log 'captured'; "
        "the view has payment_version None, the log 2",
        f"order {unstarted}": "is stalled: nothing happened after OrderPlaced, and no order saga runs for it",
    }

    named = [shlex.split(line)[1:] for line in broken.stdout.splitlines() if "\t" not in line]
    at = ["--endpoint", pipeline.endpoint]
    assert named == [
        [*at, "republish", f"payment#{unpublished}"],
        [*at, "resume", unstarted],
        [*at, "rebuild", "order_view"],
    ]
    for command in named:
        repaired = CliRunner().invoke(app, command)
        assert repaired.exit_code == 0, repaired.output

    repaired = eventually(lambda: done if (done := run_command(pipeline, "doctor", *NOW)).exit_code == 0 else None)
    assert repaired.stdout.startswith("no problems: ")
    assert view(pipeline, unstarted)["status"] == {"S": "CONFIRMED"}
    assert "has ended" in run_command(pipeline, "resume", unstarted).stderr
