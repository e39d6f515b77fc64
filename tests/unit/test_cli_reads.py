"""Commands that show orders and stock: what they show, and what they do not."""

from __future__ import annotations

import importlib
import inspect
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from typer.testing import Result

from events import streams
from events.envelope import Actor
from events.inventory import StockReserved
from events.model import DomainEvent
from events.ordering import OrderCancellationStarted, OrderCancelled, OrderConfirmed
from events.payments import PaymentAuthorized, PaymentDeclined
from events.shipping import ShipmentDispatched
from handlers.ordering import submission
from handlers.projections.order_view import OrderView
from handlers.table.event_store import EventStore
from infra.cli.commands import COMMANDS, Command
from infra.cli.connection import Connection
from infra.cli.event_summary import event_summary
from infra.cli.output import print_table
from infra.cli.text import clean
from infra.signals import Ended
from tests.builders.commands import run_command
from tests.builders.environment import OUTPUTS
from tests.builders.orders import EMAIL, STREET, TOKEN, invalid, line, order, placed
from tests.builders.stores import append
from tests.builders.vault import KEY_OF_REJECTIONS

ENDPOINT = "http://127.0.0.1:1"
OPERATOR = "arn:aws:iam::123456789012:user/jo"


@pytest.fixture
def one_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is deployed has one shop."""
    monkeypatch.setattr(Connection, "outputs", OUTPUTS)


@pytest.fixture
def two_shops(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is deployed has two shops."""
    monkeypatch.setattr(Connection, "outputs", {**OUTPUTS, "Shops": "demo acme"})


def happened(store: EventStore, stream: str, *events: DomainEvent) -> None:
    """Events in the log, and in the order's view."""
    records = append(store, stream, *events)
    OrderView(store).apply("1", records)


def reject(store: EventStore, submitted: dict[str, Any]) -> None:
    """The order was submitted like this, and rejected."""
    rejected = submission.rejected("demo", invalid(submitted), KEY_OF_REJECTIONS)
    happened(store, streams.rejection(rejected.order_id, rejected.content_hash), rejected)


def lines(result: Result) -> list[list[str]]:
    assert result.exit_code == 0, result.stderr
    return [each.split("\t") for each in result.stdout.splitlines()]


def refused(result: Result, status: int = 1) -> str:
    """The one line that says what is wrong."""
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr.strip()


# One order


def test_status_shows_the_state_of_an_order(store: EventStore) -> None:
    happened(store, streams.order("demo.o1"), placed("demo.o1", line(quantity=3, unit_price=45_000)))
    happened(store, streams.payment("demo.o1"), PaymentDeclined(order_id="demo.o1", reason="expired card"))
    happened(store, streams.order("demo.o1"), OrderCancellationStarted(order_id="demo.o1", reason="PaymentDeclined"))
    shown = dict(lines(run_command("status", "demo.o1")))
    assert shown.pop("placed at").endswith("Z")
    assert shown == {
        "order": "demo.o1",
        "status": "CANCELLING",
        "total": "GBP 1,350.00",
        "customer id": "demo.c1",
        "line count": "1",
        "reason": "PaymentDeclined",
        "payment": "declined",
        "payment reason": "expired card",
    }


def test_an_order_is_unknown_until_its_view_has_its_placing(store: EventStore) -> None:
    happened(store, streams.payment("demo.o1"), PaymentDeclined(order_id="demo.o1", reason="expired card"))
    assert "demo.o1" in refused(run_command("status", "demo.o1"))
    happened(store, streams.order("demo.o1"), placed("demo.o1"))
    assert ["status", "PLACED"] in lines(run_command("status", "demo.o1"))


def test_watching_shows_every_change_until_the_order_has_ended(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reservation = StockReserved(order_id="demo.o1", chunk=1, chunks=1, lines=())
    steps: list[Callable[[], None]] = [
        lambda: None,
        lambda: happened(store, streams.order("demo.o1"), placed("demo.o1")),
        lambda: None,
        lambda: happened(store, streams.reservation("demo.o1"), reservation),
        lambda: happened(store, streams.order("demo.o1"), OrderConfirmed(order_id="demo.o1")),
    ]
    monkeypatch.setattr("infra.cli.order_commands.time.sleep", lambda _: steps.pop(0)())
    watched = run_command("status", "demo.o1", "--watch")
    assert [*map("".join, lines(watched))] == ["PLACED", "PLACED, stock reserved", "CONFIRMED, stock reserved"]
    assert steps == []


def test_watching_an_order_that_never_appears_ends(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("infra.cli.order_commands.time.monotonic", lambda: now[0])
    monkeypatch.setattr("infra.cli.order_commands.time.sleep", lambda _: now.append(now.pop() + 10))
    assert refused(run_command("status", "demo.o1", "--watch")) == "there is no order demo.o1, or not yet"


def test_ctrl_c_ends_watching_without_a_word(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise Ended(signal.SIGINT)

    monkeypatch.setattr("infra.cli.order_commands.time.sleep", interrupted)
    result = run_command("status", "demo.o1", "--watch")
    assert (result.exit_code, result.output) == (130, "")


def test_history_is_of_all_streams(store: EventStore) -> None:
    happened(store, streams.order("demo.o1"), placed("demo.o1", line("A"), line("B")))
    happened(store, streams.reservation("demo.o1"), StockReserved(order_id="demo.o1", chunk=1, chunks=2, lines=()))
    happened(store, streams.payment("demo.o1"), PaymentAuthorized(order_id="demo.o1", amount=200, currency="GBP"))
    happened(store, streams.order("demo.o1"), OrderConfirmed(order_id="demo.o1"))
    reject(store, order("o1", line("A", 0)))
    assert [row[1:] for row in lines(run_command("history", "demo.o1"))] == [
        ["order 1", "OrderPlaced", "saga unit", "GBP 2.00, 2 lines"],
        ["reservation 1", "StockReserved", "saga unit", "chunk 1 of 2"],
        ["payment 1", "PaymentAuthorized", "saga unit", "GBP 2.00"],
        ["order 2", "OrderConfirmed", "saga unit", ""],
        ["rejection 1", "OrderRejected", "saga unit", "lines.0.quantity: Input should be greater than 0"],
    ]


def test_history_says_who_caused_an_event_and_who_redrove_its_message(store: EventStore) -> None:
    by_shop = store.on_behalf_of(Actor(door="http", principal="demo/1example23"))
    happened(by_shop, streams.order("demo.o1"), placed("demo.o1"))
    happened(store.redriven(OPERATOR), streams.order("demo.o1"), OrderConfirmed(order_id="demo.o1"))
    happened(store.redriven(None), streams.shipment("demo.o1"), ShipmentDispatched(order_id="demo.o1"))
    assert [(event, by) for _, _, event, by, _ in lines(run_command("history", "demo.o1"))] == [
        ("OrderPlaced", "http demo/1example23"),
        ("OrderConfirmed", f"saga unit, redriven by {OPERATOR}"),
        ("ShipmentDispatched", "saga unit"),
    ]


@pytest.mark.parametrize("question", ["status", "history"])
def test_customers_addresses_and_tokens_are_not_shown(store: EventStore, question: str) -> None:
    happened(store, streams.order("demo.o1"), placed("demo.o1"))
    shown = run_command(question, "demo.o1").output
    assert "GBP 1.00" in shown
    for secret in (EMAIL, STREET, TOKEN, "Ada"):
        assert secret not in shown


@pytest.mark.parametrize("question", ["status", "history"])
def test_an_unknown_order_is_explained_in_a_line(store: EventStore, question: str) -> None:
    assert refused(run_command(question, "demo.o1")) == "there is no order demo.o1, or not yet"


# Ids

NAMING_AN_ORDER = {
    "status": ("status",),
    "history": ("history",),
    "resume": ("resume",),
    "tail": ("tail", "--order"),
}


@pytest.mark.parametrize("question", ["status", "history"])
def test_the_shop_may_be_left_out_where_there_is_one(store: EventStore, one_shop: None, question: str) -> None:
    happened(store, streams.order("demo.o1"), placed("demo.o1"))
    in_full = lines(run_command(question, "demo.o1"))
    assert in_full
    assert lines(run_command(question, "o1")) == in_full
    assert refused(run_command(question, "o2")) == "there is no order demo.o2, or not yet"


@pytest.mark.parametrize("command", NAMING_AN_ORDER.values(), ids=NAMING_AN_ORDER)
def test_where_there_are_several_shops_an_order_is_named_with_its_own(
    store: EventStore, two_shops: None, command: Sequence[str]
) -> None:
    assert refused(run_command(*command, "o1"), 2) == (
        "of which shop is the order id 'o1'? Put the shop before it: demo.o1; there is: demo, acme"
    )


def test_where_there_are_several_shops_each_has_its_own_order(store: EventStore, two_shops: None) -> None:
    happened(store, streams.order("demo.o1"), placed("demo.o1", line(unit_price=100)))
    happened(store, streams.order("acme.o1"), placed("acme.o1", line(unit_price=900)))
    assert ["total", "GBP 1.00"] in lines(run_command("status", "demo.o1"))
    assert ["total", "GBP 9.00"] in lines(run_command("status", "acme.o1"))


@pytest.mark.parametrize(
    "unusable",
    ["two words", "demo.two words", "", "demo.", ".o1", "Demo.o1", "demo-2.o1", "a.b.c", "x" * 48, f"demo.{'x' * 48}"],
)
@pytest.mark.parametrize("command", NAMING_AN_ORDER.values(), ids=NAMING_AN_ORDER)
def test_an_id_that_is_none_is_refused_whatever_shops_there_are(command: Sequence[str], unusable: str) -> None:
    """Nobody is asked: there is no stack here."""
    assert refused(run_command(*command, unusable), 2) == (
        f"{unusable!r} is no order id: 1 to 47 of A-Z, a-z, 0-9, _ and -, after its shop and a point"
    )


# Lists


def test_orders_of_a_status_are_merged_from_all_shards_newest_first(store: EventStore, one_shop: None) -> None:
    ids = [f"demo.o{number}" for number in range(12)]
    for order_id in ids:
        happened(store, streams.order(order_id), placed(order_id))
    happened(store, streams.order("demo.o11"), OrderConfirmed(order_id="demo.o11"))
    assert [row[0] for row in lines(run_command("orders", "--status", "placed"))] == ids[-2::-1]
    assert [row[0] for row in lines(run_command("orders", "--status", "PLACED", "--limit", "3"))] == ids[10:7:-1]
    [[_, _, total]] = lines(run_command("orders", "--status", "CONFIRMED"))
    assert total == "GBP 1.00"


def test_orders_are_listed_of_all_shops_or_of_one(store: EventStore, two_shops: None) -> None:
    for order_id in ("demo.o1", "acme.o1", "demo.o2", "acme.o3"):
        happened(store, streams.order(order_id), placed(order_id))

    def listed(*arguments: str) -> list[str]:
        return [row[0] for row in lines(run_command("orders", "--status", "PLACED", *arguments))]

    assert listed() == ["acme.o3", "demo.o2", "acme.o1", "demo.o1"]
    assert listed("--limit", "3") == ["acme.o3", "demo.o2", "acme.o1"]
    assert listed("--shop", "demo") == ["demo.o2", "demo.o1"]
    assert listed("--shop", "acme", "--limit", "1") == ["acme.o3"]


def test_a_shop_that_there_is_not_is_refused(store: EventStore, two_shops: None) -> None:
    result = run_command("orders", "--status", "PLACED", "--shop", "nobody")
    assert refused(result, 2) == "there is no shop 'nobody'; there is: demo, acme"


def test_rejected_orders_are_listed_too(store: EventStore, one_shop: None) -> None:
    reject(store, order("o1", line("A", 0)))
    [[order_id, when, total]] = lines(run_command("orders", "--status", "REJECTED"))
    assert (order_id, when[-1], total) == ("demo.o1", "Z", "")


def test_no_such_order_and_no_such_status(store: EventStore, one_shop: None) -> None:
    result = run_command("orders", "--status", "CANCELLED")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no order is CANCELLED\n")
    assert "there is: REJECTED, PLACED, CONFIRMED" in refused(run_command("orders", "--status", "GONE"), 2)


def test_stock_shows_levels_and_names_what_was_never_delivered(store: EventStore) -> None:
    for sku, available in (("A", 3), ("B", 0)):
        item: dict[str, Any] = {"PK": {"S": f"level#{sku}"}, "SK": {"S": "level"}, "available": {"N": str(available)}}
        store.client.put_item(TableName=store.table, Item=item)
    counted: dict[str, Any] = {"PK": {"S": "view#stock#A"}, "SK": {"S": "1"}, "received": {"N": "6"}}
    store.client.put_item(TableName=store.table, Item={**counted, "reserved": {"N": "2"}, "shipped": {"N": "1"}})
    assert lines(run_command("stock", "A", "B")) == [["A", "3", "2", "1"], ["B", "0", "0", "0"]]
    result = run_command("stock", "A", "C")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "A\t3\t2\t1\n", "never delivered: C\n")


# What goes wrong


def test_a_pipeline_out_of_reach_is_explained_in_a_line() -> None:
    for question in (["status", "o1"], ["history", "demo.o1"], ["orders", "--status", "PLACED"], ["stock", "A"]):
        assert ENDPOINT in refused(run_command("--endpoint", ENDPOINT, *question))


def test_a_table_that_is_not_there_is_explained_in_a_line(store: EventStore) -> None:
    store.client.delete_table(TableName=store.table)
    assert refused(run_command("status", "demo.o1")).startswith("AWS refused GetItem: ResourceNotFoundException: ")
    assert refused(run_command("history", "demo.o1")).startswith("AWS refused GetItem: ResourceNotFoundException: ")


def test_no_credentials_and_no_such_profile_are_explained_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    assert refused(run_command("status", "demo.o1")).startswith("there are no AWS credentials")
    assert (
        refused(run_command("--profile", "acme", "status", "demo.o1")) == "The config profile (acme) could not be found"
    )


# Help


def test_help_lists_every_command_with_its_summary() -> None:
    help_text = " ".join(run_command("--help").stdout.split())
    assert all(f" {command.name} {command.summary}" in help_text for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_summary_of_a_command_is_the_first_line_of_its_help(command: Command) -> None:
    module, _, function = command.function.partition(":")
    documented = inspect.getdoc(getattr(importlib.import_module(module), function))
    assert documented
    assert documented.splitlines()[0] == command.summary
    assert command.summary in run_command(command.name, "--help").stdout


def test_a_misspelled_command_is_answered_with_the_nearest_one() -> None:
    result = run_command("statos")
    assert result.exit_code == 2
    assert "No such command 'statos'. Did you mean 'status'?" in result.stderr


def test_help_imports_nothing_that_it_does_not_need() -> None:
    heavy = {"botocore", "boto3", "pydantic", "rich", "aws_cdk", "events", "handlers"}
    program = f"""
import atexit, sys
atexit.register(lambda: print(sorted({heavy} & set(sys.modules)), file=sys.stderr))
sys.argv = ["pipeline", "--help"]
from infra.cli.main import main
from tests.builders.environment import OUTPUTS
main()
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("Usage: pipeline")
    assert done.stderr == "[]\n"


# How it is shown


def shown(width: int, rows: Sequence[Sequence[str]]) -> list[str]:
    file = StringIO()
    print_table(Console(file=file, force_terminal=True, width=width, no_color=True), ("order", "when", "why"), rows)
    return [line.rstrip() for line in file.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()]


def test_a_table_fits_the_terminal_and_cuts_nothing_off() -> None:
    rows = [("o1", "today", "because of this and that")]
    assert shown(60, rows) == ["order  when   why", "o1     today  because of this and that"]
    assert shown(30, rows) == ["order  when   why", "o1     today  because of this", "              and that"]
    assert shown(20, rows) == ["o1  today  because of this and that"]


def test_what_outsiders_wrote_does_not_reach_the_terminal_as_a_command() -> None:
    assert clean("a\x1b[2Jb\tc\nd") == "a\ufffd[2Jb\ufffdc\ufffdd"
    assert "\x1b[2J" not in "".join(shown(60, [("o1", "x", "\x1b[2J")]))


@pytest.mark.parametrize(
    ("event", "summary"),
    [
        (OrderCancelled(order_id="demo.o1", reason="OutOfStock"), "OutOfStock"),
        (PaymentAuthorized(order_id="demo.o1", amount=5, currency="JPY"), "JPY 5"),
        (OrderConfirmed(order_id="demo.o1"), ""),
    ],
)
def test_the_summary_of_an_event(event: DomainEvent, summary: str) -> None:
    assert event_summary(event.model_dump(mode="json")) == summary
