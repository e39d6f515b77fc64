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
from handlers.projections.engine.generations import GenerationStore
from handlers.projections.order_items import PROJECTION
from handlers.table import keys
from infra.cli.app import app
from infra.local.pipeline import Pipeline
from tests.builders.shops import ORDER
from tests.e2e.conftest import eventually

NOW = ("--grace", "0s", "--stalled-after", "0s")


def typed(doors: Pipeline, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--endpoint", doors.endpoint, *arguments])


def place(doors: Pipeline, *order_ids: str, until: str = "CONFIRMED") -> None:
    """Submit orders, and wait until their views show a status."""
    orders = [OrderSubmitted.model_validate_json(json.dumps({**ORDER, "order_id": each})) for each in order_ids]
    Publisher(doors.client("events"), doors.intake_bus, "e2e").publish(orders)
    eventually(lambda: all(view(doors, each).get("status", {}).get("S") == until for each in order_ids))


def live_key(doors: Pipeline, order_id: str) -> Any:
    """The key of an order's view, in the generation that readers see."""
    generations = GenerationStore(doors.client("dynamodb"), doors.table_name)
    return keys.order_view(order_id, generations.read(PROJECTION).live).attributes


def view(doors: Pipeline, order_id: str) -> Mapping[str, Any]:
    key = live_key(doors, order_id)
    found: Mapping[str, Any] = doors.client("dynamodb").get_item(TableName=doors.table_name, Key=key).get("Item", {})
    return found


@contextmanager
def payments_left_out(doors: Pipeline) -> Iterator[None]:
    """The outbox is not fed the events of payments: somebody got its filter wrong."""
    client = doors.client("lambda")
    [mapping] = client.list_event_source_mappings(FunctionName=doors.function_name("outbox"))["EventSourceMappings"]
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
def no_saga_starts(doors: Pipeline) -> Iterator[None]:
    """The rule that starts order sagas is off."""
    client = doors.client("events")
    [rule] = client.list_rule_names_by_target(TargetArn=doors.state_machine_arn, EventBusName=doors.orders_bus)[
        "RuleNames"
    ]
    client.disable_rule(Name=rule, EventBusName=doors.orders_bus)
    try:
        yield
    finally:
        client.enable_rule(Name=rule, EventBusName=doors.orders_bus)


def test_what_is_broken_is_found_and_repaired_by_the_commands_that_the_doctor_names(
    doors: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.operations.doctor.examination.PAUSE_SECONDS", 2.0)
    deleted, tampered, unpublished, unstarted = (f"{what}-{uuid4().hex}" for what in ("del", "tam", "pub", "sta"))
    place(doors, deleted, tampered)
    with payments_left_out(doors):
        place(doors, unpublished)
    with no_saga_starts(doors):
        place(doors, unstarted, until="PLACED")
    eventually(lambda: "payment" in view(doors, tampered) and "shipment" in view(doors, tampered))
    table: Any = {"TableName": doors.table_name}
    doors.client("dynamodb").delete_item(**table, Key=live_key(doors, deleted))
    doors.client("dynamodb").update_item(
        **table,
        Key=live_key(doors, tampered),
        UpdateExpression="SET #total = :other",
        ExpressionAttributeNames={"#total": "total"},
        ExpressionAttributeValues={":other": {"N": "1"}},
    )

    broken = typed(doors, "doctor", *NOW)
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
    at = ["--endpoint", doors.endpoint]
    assert named == [
        [*at, "republish", f"payment#{unpublished}"],
        [*at, "resume", unstarted],
        [*at, "rebuild", "order_view"],
    ]
    for command in named:
        repaired = CliRunner().invoke(app, command)
        assert repaired.exit_code == 0, repaired.output

    repaired = eventually(lambda: done if (done := typed(doors, "doctor", *NOW)).exit_code == 0 else None)
    assert repaired.stdout.startswith("no problems: ")
    assert view(doors, unstarted)["status"] == {"S": "CONFIRMED"}
    assert "has ended" in typed(doors, "resume", unstarted).stderr
