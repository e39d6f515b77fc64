"""Submitting orders by the command line: every valid order is sent, and every other one is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from typer.testing import Result

from events.integration import OrderSubmitted
from handlers.intake.parties import Parties, Party
from handlers.runtime import aws
from infra.cli.connection import Connection
from tests.builders.commands import run_command
from tests.builders.environment import INTAKE_BUS, OUTPUTS
from tests.builders.orders import line, order

CSV = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,71053,WHITE METAL LANTERN,6,2010-12-01 08:26:00,3.39,17850.0,United Kingdom
C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527.0,United Kingdom
536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom
"""


@pytest.fixture(autouse=True)
def one_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is deployed has one shop."""
    monkeypatch.setattr(Connection, "outputs", OUTPUTS)


@pytest.fixture
def intake(environment: None) -> Iterator[Intake]:
    with mock_aws():
        yield Intake()


class Intake:
    """The intake bus, with a queue behind it for all that comes from the command line."""

    def __init__(self) -> None:
        events, self._sqs = aws.eventbridge(), aws.sqs()
        events.create_event_bus(Name=INTAKE_BUS)
        self._url = self._sqs.create_queue(QueueName="intake")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        pattern = json.dumps({"source": [{"prefix": "pipeline.cli."}], "detail-type": ["OrderSubmitted"]})
        events.put_rule(Name="all", EventBusName=INTAKE_BUS, EventPattern=pattern)
        events.put_targets(Rule="all", EventBusName=INTAKE_BUS, Targets=[{"Id": "1", "Arn": arn}])

    def received(self) -> list[dict[str, Any]]:
        """The events, as they are delivered."""
        events: list[dict[str, Any]] = []
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            events += [json.loads(message["Body"]) for message in messages]
        return events

    def taken(self) -> list[OrderSubmitted]:
        orders = [OrderSubmitted.model_validate_json(json.dumps(each["detail"])) for each in self.received()]
        return sorted(orders, key=lambda each: each.order_id)

    def ids(self) -> list[str]:
        return [each.order_id for each in self.taken()]


def submit(*arguments: str | Path, stdin: str | None = None) -> Result:
    return run_command("submit", *map(str, arguments), stdin=stdin)


def written(folder: Path, name: str, *orders: Any) -> Path:
    """A file with an order in each line; a text is a line as it is."""
    path = folder / name
    path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in orders))
    return path


def test_one_order_is_submitted_and_can_be_followed(intake: Intake, tmp_path: Path) -> None:
    file = written(tmp_path, "order.json", json.dumps(order("o1"), indent=4))
    result = submit(file)
    assert (result.exit_code, result.stdout) == (0, "demo.o1\n")
    assert result.stderr == "submitted; to follow it: pipeline status demo.o1 --watch\n"
    [taken] = intake.taken()
    assert taken == OrderSubmitted.model_validate_json(json.dumps(order("o1")))


@pytest.mark.parametrize("text", [json.dumps(order("o1")), json.dumps(order("o1"), indent=1) + "\n"])
def test_an_order_may_come_from_another_program(intake: Intake, text: str) -> None:
    assert submit("-", stdin=text).stdout == "demo.o1\n"
    assert intake.ids() == ["o1"]


@pytest.mark.parametrize("shop", ["acme", "bloom"])
def test_where_there_are_several_shops_an_order_is_submitted_for_the_one_that_is_named(
    intake: Intake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shop: str
) -> None:
    monkeypatch.setattr(Connection, "outputs", {**OUTPUTS, "Shops": "acme bloom"})
    assert submit(written(tmp_path, "order.json", order("o1")), "--shop", shop).stdout == f"{shop}.o1\n"
    [event] = intake.received()
    parties = Parties(shops=("acme", "bloom"), sources={}, clients={}, claims={}, folders={})
    assert parties.publisher(event["source"]) == Party(name=shop, roles=("shop",))


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ((), "of which shop? Name it with --shop; there is: acme, bloom\n"),
        (("--shop", "demo"), "there is no shop 'demo'; there is: acme, bloom\n"),
    ],
)
def test_where_nobody_says_for_which_shop_nothing_is_submitted(
    intake: Intake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: tuple[str, ...], message: str
) -> None:
    monkeypatch.setattr(Connection, "outputs", {**OUTPUTS, "Shops": "acme bloom"})
    result = submit(written(tmp_path, "order.json", order("o1")), *named)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)
    assert intake.received() == []


def test_an_order_that_is_not_valid_is_named_in_a_line(intake: Intake, tmp_path: Path) -> None:
    file = written(tmp_path, "order.json", json.dumps(order("o1", line("A", 0), line("B", -1)), indent=4))
    result = submit(file)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "invalid: order o1: lines.0.quantity: Input should be greater than 0 (and 1 more)\n"
    assert intake.ids() == []


def test_of_a_file_every_valid_order_is_sent(intake: Intake, tmp_path: Path) -> None:
    orders = [order(f"o{number:02d}") for number in range(25)]
    file = written(tmp_path, "orders.ndjson", *orders[:12], order("bad", line("A", 0)), "{", "", *orders[12:])
    result = submit(file)
    assert (result.exit_code, result.stdout) == (1, "25 submitted, 2 invalid\n")
    first, second = result.stderr.splitlines()
    assert first == "invalid: row 13: order bad: lines.0.quantity: Input should be greater than 0"
    assert second.startswith("invalid: row 14: an order without an id: not readable as JSON")
    assert intake.ids() == [each["order_id"] for each in orders]


def test_lines_of_json_need_no_particular_name(intake: Intake, tmp_path: Path) -> None:
    assert submit(written(tmp_path, "orders.txt", "", order("o1"), order("o2"))).stdout == "2 submitted\n"
    assert submit("-", stdin=f"{json.dumps(order('o3'))}\n{json.dumps(order('o4'))}").stdout == "2 submitted\n"
    assert intake.ids() == ["o1", "o2", "o3", "o4"]


def test_csv_by_a_profile(intake: Intake, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(CSV)
    result = submit(file, "--csv-profile", "uci")
    assert (result.exit_code, result.stdout) == (1, "2 submitted, 1 invalid\n")
    assert result.stderr == "invalid: row 4: order C536379: quantity: Input should be greater than 0\n"
    assert {each.order_id: len(each.lines) for each in intake.taken()} == {"536365": 2, "536414": 1}


def test_a_cell_that_is_no_price_is_named_and_the_other_orders_go(intake: Intake, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(CSV + "536415,22139,,1,2010-12-01 11:52:00,1e999999,,United Kingdom\n")
    result = submit(file, "--csv-profile", "uci")
    assert (result.exit_code, result.stdout) == (1, "2 submitted, 2 invalid\n")
    assert result.stderr.endswith(
        "invalid: row 6: order 536415: unit_price: UnitPrice is '1e999999': write it in plain digits, as in 12.50\n"
    )
    assert intake.ids() == ["536365", "536414"]


def test_what_is_before_a_break_in_a_file_goes(intake: Intake, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(CSV + '536540,gift 01,"GIFT VOUCHER,1,2010-12-01 14:05:00,10.0,14911.0,EIRE\n')
    result = submit(file, "--csv-profile", "uci")
    assert (result.exit_code, result.stdout) == (1, "1 submitted, 1 invalid\n")
    explained = "orders.csv: row 6 has a quote that is not closed; nothing after order C536379 was submitted\n"
    assert result.stderr.endswith(explained)
    assert intake.ids() == ["536365"]


@pytest.mark.parametrize(
    ("name", "content", "arguments", "message"),
    [
        ("nowhere.json", None, (), "nowhere.json: No such file or directory"),
        ("orders.csv", CSV, (), "orders.csv: name the profile of its columns with --csv-profile; there is: uci"),
        ("orders.csv", CSV, ("--csv-profile", "acme"), "there is no profile 'acme'; there is: uci"),
        ("order.json", "{\n", (), "order.json: not readable as JSON: "),
        ("order.json", "", (), "order.json: not readable as JSON: "),
    ],
)
def test_a_file_that_cannot_be_used_is_explained_in_a_line(
    intake: Intake, tmp_path: Path, name: str, content: str | None, arguments: tuple[str, ...], message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    result = submit(tmp_path / name, *arguments)
    assert (result.exit_code != 0, result.stdout) == (True, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_bus_that_is_not_there_stops_at_the_first_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.cli.submit_command.ATTEMPTS", 1)
    file = written(tmp_path, "orders.ndjson", *[order(f"o{number}") for number in range(30)])
    result = run_command("--endpoint", "http://127.0.0.1:1", "submit", str(file))
    assert (result.exit_code, result.stdout) == (1, "")
    failure, stopped = result.stderr.splitlines()
    assert failure.startswith("not sent: OrderSubmitted o0: EndpointConnectionError: ")
    assert stopped == "stopped: 0 submitted, 1 not sent"
