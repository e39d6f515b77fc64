"""The command line against the pipeline as it is deployed."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from events.shops import of_shop
from infra.cli.app import app
from infra.cli.tail_command import PREFIX
from infra.local.pipeline import Pipeline
from infra.names import DEMO_SHOP
from tests.builders.shops import ORDER

COMMAND = str(Path(sys.executable).with_name("pipeline"))
SECONDS = 60


def printed(pipeline: Pipeline, *arguments: str) -> list[list[str]]:
    """The rows that a command prints, which succeeds."""
    done = CliRunner().invoke(app, ["--endpoint", pipeline.endpoint, *arguments])
    assert done.exit_code == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def tailing(pipeline: Pipeline, order_id: str) -> subprocess.Popen[str]:
    """A tail of what confirms that order, once it listens."""
    command = [COMMAND, "--endpoint", pipeline.endpoint, "tail", "--order", order_id, "--type", "OrderConfirmed"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    assert "listening" in process.stderr.readline()
    return process


@pytest.fixture(autouse=True)
def heeds_ctrl_c() -> Iterator[None]:
    """Processes started here heed SIGINT, even where the tests run in the background and ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def left(pipeline: Pipeline) -> list[str]:
    rules = pipeline.client("events").list_rules(EventBusName=pipeline.orders_bus, NamePrefix=PREFIX)["Rules"]
    queues: list[str] = pipeline.client("sqs").list_queues(QueueNamePrefix=PREFIX).get("QueueUrls", [])
    return queues + [rule["Name"] for rule in rules]


def test_an_order_is_submitted_followed_and_found(pipeline: Pipeline, tmp_path: Path) -> None:
    order_id = f"cli-{uuid4().hex}"
    full_id = of_shop(DEMO_SHOP, order_id)
    file = tmp_path / "order.json"
    file.write_text(json.dumps({**ORDER, "order_id": order_id}, indent=2))
    tails = {signal.SIGINT: tailing(pipeline, order_id), signal.SIGTERM: tailing(pipeline, full_id)}

    submitted = subprocess.run(
        [COMMAND, "--endpoint", pipeline.endpoint, "submit", str(file)], capture_output=True, text=True, check=True
    )
    assert submitted.stdout == f"{full_id}\n"
    assert printed(pipeline, "status", order_id, "--watch")[-1][0].startswith("CONFIRMED")

    for number, tail in tails.items():
        assert tail.stdout
        assert tail.stdout.readline().split("\t")[1:3] == [f"order#{full_id} 2", "OrderConfirmed"]
        tail.send_signal(number)
    for number, tail in tails.items():
        assert tail.communicate(timeout=SECONDS) == ("", "")
        assert tail.returncode == 128 + number
    assert left(pipeline) == []

    history = printed(pipeline, "history", order_id)
    assert history == printed(pipeline, "history", full_id)
    assert [row[2] for row in history if row[1].startswith("order")] == ["OrderPlaced", "OrderConfirmed"]
    assert {"StockReserved", "PaymentCaptured", "ShipmentArranged"} <= {row[2] for row in history}
    who = {row[2]: row[3] for row in history}
    assert who["OrderPlaced"] == "bus demo/pipeline.cli.demo"
    assert who["PaymentCaptured"] == "saga payments_service"
    assert who["OrderConfirmed"] == "saga ordering_service"
    assert full_id in {row[0] for row in printed(pipeline, "orders", "--status", "CONFIRMED", "--limit", "1000")}
    [[sku, available, _, _]] = printed(pipeline, "stock", "TEA-1")
    assert (sku, int(available) > 0) == ("TEA-1", True)
