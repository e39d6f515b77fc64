"""The command line as it is typed, against the pipeline as it is deployed."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from infra.cli.tail import PREFIX
from infra.local.pipeline import Pipeline
from tests.shops import ORDER

COMMAND = Path(sys.executable).with_name("pipeline")
SECONDS = 60


def typed(doors: Pipeline, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(COMMAND), "--endpoint", doors.endpoint, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)


def told(doors: Pipeline, *arguments: str) -> list[list[str]]:
    """The rows that a command prints, which ends well."""
    done = typed(doors, *arguments)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def order(order_id: str) -> str:
    address = ORDER["shipping_address"]
    return json.dumps({**ORDER, "order_id": order_id, "shipping_address": address}, indent=2)


def left(doors: Pipeline) -> list[str]:
    rules = doors.client("events").list_rules(EventBusName=doors.orders_bus, NamePrefix=PREFIX)["Rules"]
    queues: list[str] = doors.client("sqs").list_queues(QueueNamePrefix=PREFIX).get("QueueUrls", [])
    return queues + [rule["Name"] for rule in rules]


@pytest.mark.parametrize("signals", [signal.SIGINT, signal.SIGTERM])
def test_an_order_is_handed_in_followed_and_found(doors: Pipeline, tmp_path: Path, signals: signal.Signals) -> None:
    order_id = f"cli-{uuid4().hex}"
    file = tmp_path / "order.json"
    file.write_text(order(order_id))
    tail = [str(COMMAND), "--endpoint", doors.endpoint, "tail", "--order", order_id, "--type", "OrderConfirmed"]
    with subprocess.Popen(tail, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tailing:
        assert tailing.stdout
        assert tailing.stderr
        assert "listening" in tailing.stderr.readline()
        assert told(doors, "submit", str(file)) == [[order_id]]
        watched = told(doors, "status", order_id, "--watch")
        assert watched[-1][0].startswith("CONFIRMED")
        assert tailing.stdout.readline().split("\t")[1:3] == [f"order#{order_id} 2", "OrderConfirmed"]
        tailing.send_signal(signals)
        assert tailing.wait(SECONDS) == 128 + signals
        assert (tailing.stdout.read(), tailing.stderr.read()) == ("", "")
    assert left(doors) == []
    history = told(doors, "history", order_id)
    assert [row[2] for row in history if row[1].startswith("order")] == ["OrderPlaced", "OrderConfirmed"]
    assert {"StockReserved", "PaymentCaptured", "ShipmentArranged"} <= {row[2] for row in history}
    assert order_id in {row[0] for row in told(doors, "orders", "--status", "CONFIRMED", "--limit", "1000")}
    [[sku, available]] = told(doors, "stock", "TEA-1")
    assert (sku, int(available) > 0) == ("TEA-1", True)
